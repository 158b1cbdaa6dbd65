# The public SSH keys of each user who may log in, one string per key, as in ~/.ssh/id_ed25519.pub.
#
# These lists are empty on purpose: a key of the authors would let the authors into your servers. While neither `admin`
# nor `deploy` has a key, every host evaluates with a warning, no host is installed, and an update has a blocking risk.
{
  # For people. This user may become root with sudo.
  admin = [
  ];

  # For deployments. Use a separate key, such as that of a CI system. This user may become root with sudo.
  deploy = [
  ];
}
