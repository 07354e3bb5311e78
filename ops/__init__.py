"""labeling-ops: labeling rounds over Label Studio and lakeFS, run by the command `ops`."""
