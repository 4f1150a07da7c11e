"""What scripts/lab is made of: a Docker engine, a booted systemd host and an apt repository. Standard library only."""
