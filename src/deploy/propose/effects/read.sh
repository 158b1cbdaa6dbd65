# Prints what the toplevels in the arguments configure, one after the other, as `key<TAB>value` lines. Contents are in
# base64. Run with `sh -c`, by any user, on a host or on this machine; needs coreutils, findutils and sed.
PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"
export PATH LC_ALL=C
tab=$(printf '\t')
feed='
'
# Limits: bytes of a file whose content is printed, KiB and number of the files that are hashed, files below /etc.
most_bytes=1048576 most_kib=16384 most_hashed=5000 most_files=4000 most_keys=500

# Removes the hashes of store paths.
unhashed='s|/nix/store/[0-9a-z]\{32\}-|/nix/store/|g'

say() { printf '%s\t%s\n' "$1" "$2"; }

# content NAME FILE: prints a file's content.
content() {
  if ! [ -e "$2" ]; then
    if [ -L "$2" ]; then say unread "$1"; else say absent "$1"; fi
  elif ! [ -f "$2" ] || ! [ -r "$2" ]; then say unread "$1"
  elif [ "$(wc -c <"$2")" -gt "$most_bytes" ]; then say large "$1"
  else printf 'content\t%s\t%s\n' "$1" "$(base64 <"$2" | tr -d '\n')"; fi
}

# named_by_unit NAME UNIT EXPRESSION: prints the content of the file that the unit starts, which sed finds in the unit.
named_by_unit() {
  unit=$units/$2
  if ! [ -e "$unit" ] || [ "$(readlink -f "$unit")" = /dev/null ]; then say absent "$1"; return; fi
  for extension in "$unit.d"/*.conf; do
    if [ -e "$extension" ]; then say extended "$1"; return; fi
  done
  named=$(sed -n "$3" "$unit" 2>/dev/null | head -n 1)
  if [ -n "$named" ]; then content "$1" "$named"; else say unread "$1"; fi
}

# hash: prints the SHA-256 of its input, and more after a blank.
if command -v sha256sum >/dev/null; then hash() { sha256sum; }; else hash() { shasum -a 256; }; fi

# hashes PATH: sets `plain` and `bare`, the hashes of a file or of a folder's files, as they are and without the hashes of
# store paths. Both are empty if the content is too large or the path leads out of the store.
hashes() {
  plain='' bare=''
  if [ -f "$1" ]; then
    if [ "$(wc -c <"$1")" -gt $((most_kib * 1024)) ]; then return; fi
    plain=$(hash <"$1") bare=$(sed "$unhashed" <"$1" | hash)
  elif [ -d "$1" ]; then
    # With -L, only a link whose target is missing has the type l.
    if [ -n "$(find -L "$1/" ! -type f ! -type d 2>&1 | head -n 1)" ]; then return; fi
    if [ "$(find -L "$1/" | head -n $((most_hashed + 1)) | wc -l)" -gt "$most_hashed" ]; then return; fi
    if [ "$(du -skL "$1/" 2>/dev/null | cut -f 1)" -gt "$most_kib" ]; then return; fi
    plain=$(cd "$1/" && folder | hash) bare=$(cd "$1/" && folder | sed "$unhashed" | hash)
  fi
}

# folder: prints the names and contents of the files in this folder.
folder() {
  find -L . | sort
  find -L . -type f | sort | sed 's/./\\&/g' | xargs cat
}

# belonging PATH: sets `belonging` to mode, user and group of an entry of /etc, which stand in files beside it.
belonging() {
  belonging=
  for suffix in mode uid gid; do
    if [ -f "$1.$suffix" ] && ! [ -L "$1.$suffix" ]; then
      value=
      IFS=$tab read -r value <"$1.$suffix" || [ -n "$value" ]
      belonging="$belonging $suffix $value"
    fi
  done
}

# is_belonging PATH: whether it is such a file.
is_belonging() {
  case $1 in *.mode | *.uid | *.gid) [ -L "${1%.*}" ] && ! [ -L "$1" ] ;; *) false ;; esac
}

# etc_files: prints the entries of $etc: what belongs to each, its hashes, its target, its path. An entry with the same
# target in the folder $other has no hashes.
etc_files() {
  cd "$etc" || return
  count=0
  find . -path ./systemd/system -prune -o ! -type d -print | sort | head -n $((most_files + 1)) | while IFS= read -r path; do
    count=$((count + 1))
    if [ "$count" -gt "$most_files" ]; then say large etc; fi
    case $path in
      [!.]*) say odd etc; continue ;;
      ./fstab | ./ssh/authorized_keys.d/*) continue ;;
    esac
    if is_belonging "$path"; then continue; fi
    target=
    if [ -L "$path" ]; then target=$(readlink "$path")
    elif ! [ -e "$path" ]; then say odd etc; continue; fi
    belonging "$path"
    case $path$target$belonging in *"$tab"* | *"$feed"*) say odd etc; continue ;; esac
    plain='' bare=''
    case $target in
      '' | /nix/store/*)
        if [ -z "$target" ] || [ -z "$other" ] || [ "$target" != "$(readlink "$other/$path")" ]; then hashes "$path"; fi ;;
    esac
    printf 'etc\t%s\t%s\t%s\t%s\t%s\n' "$belonging" "${plain%% *}" "${bare%% *}" "$target" "${path#./}"
  done
}

other='' first=${1:-}
for toplevel; do
  say system 1
  etc=$toplevel/etc units=$toplevel/etc/systemd/system
  content kernel_params "$toplevel/kernel-params"
  content fstab "$etc/fstab"
  named_by_unit firewall firewall.service 's|^ExecStart=@*\(/nix/store/[^ ]*/bin/firewall-start\)\( .*\)*$|\1|p'
  named_by_unit nftables nftables.service 's|^ExecStart=\(/nix/store/[^ ]*-nftables-rules\)$|\1|p'
  named_by_unit userborn userborn.service 's|^ExecStart=.* \(/nix/store/[^ ]*-userborn\.json\) .*$|\1|p'
  if [ -e "$units/firewalld.service" ]; then say has firewalld; fi
  if [ -e "$etc/sysusers.d/00-nixos.conf" ]; then say has sysusers; fi
  if [ -r "$toplevel/activate" ]; then
    users=$(sed -n 's|^.* \(/nix/store/[^ ]*-users-groups\.json\).*$|\1|p' "$toplevel/activate" | head -n 1)
    if [ -n "$users" ]; then content users "$users"; else say absent users; fi
  else say unread users; fi
  count=0
  for keys in "$etc/ssh/authorized_keys.d"/*; do
    if ! [ -e "$keys" ] && ! [ -L "$keys" ] || is_belonging "$keys"; then continue; fi
    count=$((count + 1))
    if [ "$count" -gt "$most_keys" ]; then say large keys; break; fi
    case ${keys##*/} in *[!A-Za-z0-9._-]*) say odd keys ;; *) content "key ${keys##*/}" "$keys" ;; esac
  done
  if [ $# -eq 2 ]; then other=$2/etc; [ "$toplevel" = "$first" ] || other=$first/etc; fi
  if [ -d "$etc/" ]; then (etc_files); else say absent etc; fi
  say end 1
done
