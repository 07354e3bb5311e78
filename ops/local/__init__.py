"""The embedded servers: Label Studio and lakeFS as background processes of one machine.

`stack` holds the verbs (up, down, status, logs, reset), `state` what is remembered and
`connection`, which is cheap enough for every command. Nothing here renders or knows of the command
line; narration goes through `ops.ports.Reporter`.
"""
