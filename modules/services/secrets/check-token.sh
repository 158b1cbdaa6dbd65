# shellcheck shell=bash
# check-1password-token FILE GROUP: fails if the token is missing or if others could have read it. OpNix itself
# ignores a missing token, and restricts the mode of a readable one without a warning that others may have read it.
file=$1
group=$2

refuse() {
  echo "1Password's token $file $1" >&2
  echo "$2" >&2
  exit 78 # EX_CONFIG of sysexits.h
}
set_it="Put it there with: sudo opnix token set -path $file"
renew="Anyone who read it has access to every secret of the service account: revoke it in 1Password, make a new one, delete the file. $set_it"

[ -e "$file" ] || refuse "does not exist; the secrets that were fetched before stay in use." "$set_it"
case $(realpath -- "$file") in
  /nix/store/*) refuse "is in the Nix store, where every user can read it." "$renew" ;;
esac
[ -f "$file" ] || refuse "is not a regular file." "$set_it"
[ -s "$file" ] || refuse "is empty." "$set_it"

read -r owner owning_group mode < <(stat --dereference --format='%u %G %a' -- "$file")
[ "$owner" = 0 ] || refuse "does not belong to root." "$renew"
if (((8#$mode & 8#037) != 0)); then
  refuse "has the mode $mode, so that others can read or change it." "$renew"
fi
if (((8#$mode & 8#040) != 0)) && [ "$owning_group" != root ] && [ "$owning_group" != "$group" ]; then
  refuse "can be read by the group $owning_group." "$renew"
fi
