# shellcheck shell=bash
# check-1password-token FILE GROUP: refuses a token that is not there or that others could have read. OpNix itself
# passes over a missing one and closes one that stood open, without a word about who read it meanwhile.
file=$1
group=$2

refuse() {
  echo "1Password's token $file $1" >&2
  echo "$2" >&2
  exit 78 # EX_CONFIG of sysexits.h
}
set_it="Put it there with: sudo opnix token set -path $file"
renew="Whoever read it has every secret of the service account: revoke it in 1Password, make a new one, delete the file. $set_it"

[ -e "$file" ] || refuse "does not exist; the secrets of last time stay in use." "$set_it"
case $(realpath -- "$file") in
  /nix/store/*) refuse "is in the Nix store, where every user can read it." "$renew" ;;
esac
[ -f "$file" ] || refuse "is no file." "$set_it"
[ -s "$file" ] || refuse "is empty." "$set_it"

read -r owner owning_group mode < <(stat --dereference --format='%u %G %a' -- "$file")
[ "$owner" = 0 ] || refuse "does not belong to root." "$renew"
if (((8#$mode & 8#037) != 0)); then
  refuse "has the mode $mode, so that others can read or change it." "$renew"
fi
if (((8#$mode & 8#040) != 0)) && [ "$owning_group" != root ] && [ "$owning_group" != "$group" ]; then
  refuse "can be read by the group $owning_group." "$renew"
fi
