"""Jobs: commands that outlive the call, the server and the connection. The programs on the host are the ``*.sh``."""
