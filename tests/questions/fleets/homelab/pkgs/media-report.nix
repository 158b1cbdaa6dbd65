{
  lib,
  writers,
  python3Packages,
}:
writers.writePython3Bin "media-report" { libraries = [ python3Packages.rich ]; } ''
  import pathlib
  import sys
  from rich.table import Table
  from rich import print

  table = Table("folder", "files")
  for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
      table.add_row(folder.name, str(sum(1 for _ in folder.rglob("*"))))
  print(table)
''
// {
  meta.license = lib.licenses.mit;
}
