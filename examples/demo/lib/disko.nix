# What disko derives from a layout: every device with its defaults, and the settings that follow from them.
# Only the types that this fleet uses: GPT, filesystems, swap, btrfs, LUKS, mdadm and LVM.
let
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    elemAt
    filter
    genList
    length
    listToAttrs
    mapAttrs
    sort
    ;

  # A content gets its device from its parent.
  fill =
    device: content:
    if content == null then
      null
    else
      { inherit device; } // kinds.${content.type} (content.device or device) content;

  kinds = {
    filesystem =
      _: content:
      {
        extraArgs = [ ];
        mountOptions = [ "defaults" ];
        mountpoint = null;
      }
      // content;
    swap =
      _: content:
      {
        discardPolicy = null;
        mountOptions = [ "defaults" ];
        priority = null;
        randomEncryption = false;
        resumeDevice = false;
      }
      // content;
    btrfs =
      _: content:
      {
        extraArgs = [ ];
        mountOptions = [ "defaults" ];
        mountpoint = null;
        swap = { };
      }
      // content
      // {
        subvolumes = mapAttrs (
          name: subvolume:
          {
            inherit name;
            type = "btrfs_subvol";
            extraArgs = [ ];
            mountOptions = [ "defaults" ];
            mountpoint = null;
          }
          // subvolume
          // {
            swap = mapAttrs (
              name: swap:
              {
                path = name;
                priority = null;
                options = [ "defaults" ];
              }
              // swap
            ) (subvolume.swap or { });
          }
        ) (content.subvolumes or { });
      };
    luks =
      _: content:
      {
        additionalKeyFiles = [ ];
        askPassword = !(content ? passwordFile);
        extraFormatArgs = [ ];
        extraOpenArgs = [ ];
        initrdUnlock = true;
        keyFile = null;
        passwordFile = null;
        settings = { };
      }
      // content
      // {
        content = fill "/dev/mapper/${content.name}" (content.content or null);
      };
    lvm_pv = _: content: content;
    mdraid = _: content: content;
  };

  # Small numbers are created first: the boot partition, then all others, then the one that takes the remaining space.
  priorityOf =
    partition:
    partition.priority or (
      if partition.size or "" == "100%" then
        9001
      else if partition.type or "" == "EF02" then
        100
      else
        1000
    );
  indexed =
    partitions:
    let
      names = sort (a: b: priorityOf partitions.${a} < priorityOf partitions.${b}) (attrNames partitions);
    in
    listToAttrs (
      genList (n: {
        name = elemAt names n;
        value = n + 1;
      }) (length names)
    );

  gpt =
    disk: content:
    let
      indices = indexed content.partitions;
    in
    {
      inherit (disk) device;
      type = "gpt";
      efiGptPartitionFirst = true;
      partitions = mapAttrs (
        name: partition:
        let
          label = "disk-${disk.name}-${name}";
          device = "/dev/disk/by-partlabel/${label}";
          size = partition.size or "0";
        in
        {
          inherit
            name
            label
            device
            size
            ;
          type = if (partition.content.type or "") == "swap" then "8200" else "8300";
          priority = priorityOf partition;
          start = "0";
          end = if size == "100%" then "-0" else "+${size}";
          alignment = 0;
          attributes = [ ];
          hybrid = null;
          uuid = null;
          _index = indices.${name};
        }
        // partition
        // {
          content = fill (partition.device or device) (partition.content or null);
        }
      ) content.partitions;
    };

  fillDisk =
    name: disk:
    let
      filled = {
        inherit name;
        type = "disk";
        destroy = true;
        imageName = name;
        imageSize = "2G";
      }
      // disk;
    in
    filled
    // {
      content = gpt filled disk.content;
      # As in disko: internal attributes start with an underscore, and may be functions.
      _packages = pkgs: [ pkgs.gptfdisk ];
    };

  fillArray =
    name: array:
    {
      inherit name;
      type = "mdadm";
      level = 1;
      metadata = "default";
      extraArgs = [ ];
    }
    // array
    // {
      content = fill "/dev/md/${name}" (array.content or null);
    };

  fillGroup =
    name: group:
    {
      inherit name;
      type = "lvm_vg";
    }
    // group
    // {
      lvs = mapAttrs (
        lv: volume:
        {
          name = lv;
          priority = if volume.size == "100%FREE" then 1251 else 1000;
          extraArgs = [ ];
          lvm_type = null;
          pool = null;
        }
        // volume
        // {
          content = fill "/dev/${name}/${lv}" (volume.content or null);
        }
      ) group.lvs;
    };

  # Every content of a layout, including nested ones.
  within = content: if content == null then [ ] else [ content ] ++ within (content.content or null);
  partitionsOf =
    devices: concatMap (disk: attrValues disk.content.partitions) (attrValues devices.disk);
  contentsOf =
    devices:
    concatMap (holder: within holder.content) (
      partitionsOf devices
      ++ attrValues devices.mdadm
      ++ concatMap (group: attrValues group.lvs) (attrValues devices.lvm_vg)
    );
  ofType = type: devices: filter (content: content.type == type) (contentsOf devices);
in
{
  evaluate = devices: {
    disk = mapAttrs fillDisk (devices.disk or { });
    mdadm = mapAttrs fillArray (devices.mdadm or { });
    lvm_vg = mapAttrs fillGroup (devices.lvm_vg or { });
    nodev = devices.nodev or { };
    zpool = devices.zpool or { };
  };

  # These take a layout that has been evaluated.
  fileSystems =
    devices:
    listToAttrs (
      concatMap (
        content:
        if content.mountpoint == null then
          [ ]
        else
          [
            {
              name = content.mountpoint;
              value = {
                inherit (content) device;
                fsType = content.format;
                options = content.mountOptions;
              };
            }
          ]
      ) (ofType "filesystem" devices)
      ++ concatMap (
        content:
        map (subvolume: {
          name = subvolume.mountpoint;
          value = {
            inherit (content) device;
            fsType = "btrfs";
            options = subvolume.mountOptions ++ [ "subvol=${subvolume.name}" ];
          };
        }) (filter (subvolume: subvolume.mountpoint != null) (attrValues content.subvolumes))
      ) (ofType "btrfs" devices)
    );

  swapDevices =
    devices:
    map (content: {
      inherit (content) device priority;
      options = content.mountOptions;
    }) (ofType "swap" devices)
    ++ concatMap (
      content:
      concatMap (
        subvolume:
        map (swap: {
          device = "${subvolume.mountpoint}/${swap.path}";
          inherit (swap) priority options;
        }) (attrValues subvolume.swap)
      ) (attrValues content.subvolumes)
    ) (ofType "btrfs" devices);

  # Disks with a BIOS boot partition get the boot loader.
  grubDevices =
    devices:
    map (disk: disk.device) (
      filter (
        disk: filter (partition: partition.type == "EF02") (attrValues disk.content.partitions) != [ ]
      ) (attrValues devices.disk)
    );

  luksDevices =
    devices:
    listToAttrs (
      map (content: {
        inherit (content) name;
        value = {
          inherit (content) device;
        }
        // content.settings;
      }) (filter (content: content.initrdUnlock) (ofType "luks" devices))
    );

  usesArrays = devices: devices.mdadm != { };

  # The commands that disko's script would run, in order; the stand-in prints them.
  steps =
    devices:
    concatMap (disk: [
      "wipefs --all ${disk.device}"
      "sgdisk --clear ${disk.device}"
    ]) (attrValues devices.disk)
    ++ map (partition: "sgdisk --new=${toString partition._index} ${partition.label}") (
      partitionsOf devices
    )
    ++ map (array: "mdadm --create /dev/md/${array.name} --level=${toString array.level}") (
      attrValues devices.mdadm
    )
    ++ map (content: "cryptsetup luksFormat ${content.device}") (ofType "luks" devices)
    ++ concatMap (
      group:
      [ "vgcreate ${group.name}" ]
      ++ map (volume: "lvcreate --size ${volume.size} ${group.name}/${volume.name}") (
        attrValues group.lvs
      )
    ) (attrValues devices.lvm_vg)
    ++ map (content: "mkfs.${content.format} ${content.device}") (ofType "filesystem" devices)
    ++ map (content: "mkfs.btrfs ${content.device}") (ofType "btrfs" devices)
    ++ map (content: "mkswap ${content.device}") (ofType "swap" devices);
}
