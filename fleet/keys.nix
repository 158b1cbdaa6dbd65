# Who may log in: each user's public SSH keys, one string a key, as in ~/.ssh/id_ed25519.pub.
#
# These lists are empty on purpose: a key of ours would let us into your servers. Without a key for `admin` or
# `deploy` every host warns when it is evaluated, no host is installed, and an update of it is a blocking risk.
{
  # People: may become root with sudo.
  admin = [
  ];

  # What deploys: a key of its own, such as that of a CI system. May become root with sudo.
  deploy = [
  ];
}
