{
  lib,
  writeShellApplication,
  inotify-tools,
  ocrmypdf,
}:
writeShellApplication {
  name = "paperless-inbox";
  runtimeInputs = [
    inotify-tools
    ocrmypdf
  ];
  text = ''
    inotifywait --monitor --event close_write --format %w%f "$1" |
      while read -r file; do ocrmypdf "$file" "$2/$(basename "$file")"; done
  '';
  meta = {
    description = "Makes scans in a folder searchable";
    license = lib.licenses.mit;
  };
}
