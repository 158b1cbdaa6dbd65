# Finds the file system of a configuration that a path is on.
{ lib, fileSystems }:

rec {
  isBelow = folder: path: path == folder || folder == "/" || lib.hasPrefix "${folder}/" path;

  # The deepest mount point that contains the path; "" if there is none.
  mountPointOf =
    path:
    lib.foldl' (
      deepest: mountPoint:
      if isBelow mountPoint path && lib.stringLength mountPoint > lib.stringLength deepest then
        mountPoint
      else
        deepest
    ) "" (lib.attrNames fileSystems);
}
