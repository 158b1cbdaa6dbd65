use super::*;

fn read(text: &str) -> Mounts {
    parse(text).unwrap()
}

#[test]
fn an_fstab_of_nixos_is_read() {
    let mounts = read(
        "# This is a generated file.  Do not edit!\n# <file system> <mount point>   <type>  <options>\n\n# Filesystems.\n\
         /dev/disk/by-label/root / ext4 x-initrd.mount 0 1\n//nas/share /my\\040data cifs username=x,password=geheim 0 0\n\
         \n# Swap devices.\n/dev/sdb1 none swap defaults\n",
    );
    assert_eq!(mounts.keys().collect::<Vec<_>>(), ["/", "/my data", "swap:/dev/sdb1"]);
    assert_eq!(described(&mounts["/my data"][0]), "//nas/share cifs password=[redacted],username=x");
    assert_eq!(parse("/dev/sda1 /data\n"), None);
}

#[test]
fn passwords_in_options_are_only_said_to_differ() {
    let (old, next) = (
        read("//nas/share /data cifs ro,password=old1,pass=old2 0 0"),
        read("//nas/other /data cifs rw,password=new1,pass=new2 0 0"),
    );
    assert_eq!(
        differences(&old["/data"], &next["/data"]),
        [
            "device //nas/share -> //nas/other",
            "options -pass=[redacted] -password=[redacted] -ro +pass=[redacted] +password=[redacted] +rw",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_fstab_makes_it_panic(text in "[\\s\\S]{0,300}", field in "[\\\\0-9a-z]{0,20}") {
        for mounts in parse(&text).into_iter().flat_map(BTreeMap::into_values) {
            let _ = differences(&mounts, &mounts);
        }
        let _ = unescaped(&field);
    }
}
