"""What runs: the Pulumi program for Google Cloud.

Owns every cloud resource and what only the cloud knows of the workloads. Does not describe a
container: those are plain manifests in k8s/, which infra/workloads.py loads.
"""
