# Packages in the shape of nixpkgs' `legacyPackages.SYSTEM`, for the queries in relevance.toml. README.md explains it.
{
  system ? "x86_64-linux",
  # Number of further packages that no query wants; at most 6000.
  fillers ? 6000,
  # The two settings are those of nixpkgs. Without aliases, renamed and removed attributes do not exist.
  allowAliases ? true,
  # "eval" or "search".
  recursionMode ? "eval",
}:
let
  inherit (builtins)
    attrNames
    elem
    elemAt
    filter
    foldl'
    genList
    groupBy
    head
    isString
    length
    listToAttrs
    mapAttrs
    match
    removeAttrs
    split
    substring
    tail
    ;

  # attribute|pname|version|main program|licences|homepage|flags|description
  # The pname is empty if it is the last part of the attribute. `!` stands before the name of a package that has a name
  # and no pname. The main program is `=` if it is the pname.
  # Flags: u unfree, b broken, i insecure, s for other systems.
  table = ''
    _1password-cli|1password-cli|2.34.1|op|unfree|developer.1password.com/docs/cli|u|Password manager on the command line
    _1password-gui|1password|8.12.26|=|unfree|1password.com|u|Password manager for many platforms
    _7zip-zstd|7zip-zstd|26.02-v1.5.7-R1|7z|LGPL-2.0-or-later,BSD-3-Clause|github.com/mcmilk/7-Zip-zstd||7-Zip with further codecs
    _7zz|7zz|26.01|=|LGPL-2.0-or-later,BSD-3-Clause|7-zip.org||Command line version of 7-Zip
    acme-sh|acme.sh|3.1.2|=|GPL-3.0-only|acme.sh||Client for ACME as a shell script
    adguardhome||0.107.77|AdGuardHome|GPL-3.0-only|github.com/AdguardTeam/AdGuardHome||DNS server that blocks advertisements
    aerc||0.21.0|=|MIT|aerc-mail.org||Mail client in a terminal
    age||1.3.1|=|BSD-3-Clause|age-encryption.org||Encrypts files
    age-plugin-yubikey||0.5.1|=|MIT,Apache-2.0|github.com/str4d/age-plugin-yubikey||Plugin of age for YubiKeys
    alejandra||4.0.0|=|Unlicense|github.com/kamadorueda/alejandra||Formats Nix code
    alertmanager-irc-relay||0.5.1|=|Apache-2.0|github.com/google/alertmanager-irc-relay||Sends alerts of Alertmanager to IRC
    alertmanager-ntfy||1.2.1|=|GPL-3.0-only|github.com/alexbakker/alertmanager-ntfy||Sends alerts of Alertmanager to ntfy
    amdgpu_top||0.11.5|=|MIT|github.com/Umio-Yasuno/amdgpu_top||Shows the use of AMD graphics cards
    angie||1.11.8||BSD-2-Clause|angie.software/en||Web server that was forked from Nginx
    ansible|ansible-core|2.21.1||GPL-3.0-or-later|www.ansible.com||Automates machines over SSH
    ansible-lint||25.8.2|=|MIT|github.com/ansible/ansible-lint||Linter for Ansible
    antidote||2.1.0||MIT|getantidote.github.io||Plugin manager for Z shell
    apacheHttpd|apache-httpd|2.4.68||Apache-2.0|httpd.apache.org||Web server Apache
    appimage-run|!||=||||
    ast-grep||0.44.0|=|MIT|ast-grep.github.io||Searches and rewrites code by its syntax tree
    atop||2.12.1||GPL-2.0-or-later|||Monitor of performance that records history
    autokuma||2.0.0|=|MIT|github.com/BigBoot/AutoKuma||Creates monitors of Uptime Kuma automatically
    autorestic||1.8.3|=|Apache-2.0|github.com/cupcakearmy/autorestic||Runs backups with restic from a file
    autossh||1.4g|=|BSD-1-Clause|www.harding.motd.ca/autossh||Restarts SSH sessions and tunnels automatically
    awscli||1.44.21|aws|Apache-2.0|aws.amazon.com/cli||Manages services of AWS, version 1
    awscli2||2.34.24|aws|Apache-2.0|aws.amazon.com/cli||Manages services of AWS
    awww||0.12.1|=|GPL-3.0|codeberg.org/LGFae/awww||Wallpapers for Wayland
    azure-cli||2.87.0|az|MIT|github.com/Azure/azure-cli||Manages services of Azure
    backrest||1.13.0|=|GPL-3.0-only|github.com/garethgeorge/backrest||Web interface to restic
    baikal||0.11.1||GPL-3.0-only|sabre.io/baikal||CalDAV and CardDAV server with a web interface
    bandwhich||0.23.1|=|MIT|github.com/imsnif/bandwhich||Shows network use by connection
    barman||3.19.1|=|GPL-3.0-or-later|www.pgbarman.org||Manager of PostgreSQL backups
    bash-language-server||5.6.0|=|MIT|github.com/bash-lsp/bash-language-server||Language server for bash
    bats||1.12.0|=|MIT|github.com/bats-core/bats-core||Tests for bash
    beamPackages.elixir||1.18.4||Apache-2.0|elixir-lang.org||Language on the Erlang machine
    beamPackages.elixir_1_18|elixir|1.18.4||Apache-2.0|elixir-lang.org||Language on the Erlang machine
    beamPackages.elixir_1_19|elixir|1.19.5||Apache-2.0|elixir-lang.org||Language on the Erlang machine
    beamPackages.erlang||28.5.0.2||Apache-2.0|www.erlang.org||Language for concurrent systems
    bind||9.20.24||MPL-2.0|www.isc.org/bind||DNS server
    bitwarden-cli||2026.6.0|bw|GPL-3.0-only|bitwarden.com||Password manager on the command line
    bitwarden-desktop||2026.6.0|bitwarden|GPL-3.0|bitwarden.com||Password manager
    blocky||0.32.1|=|Apache-2.0|0xerr0r.github.io/blocky||DNS proxy that blocks advertisements
    bmon||4.0|=|BSD-2-Clause|github.com/tgraf/bmon||Monitors bandwidth by interface
    borgbackup||1.4.4|borg|BSD-3-Clause|www.borgbackup.org||Deduplicating archiver with compression and encryption
    borgmatic||2.1.5|=|GPL-3.0-or-later|torsion.org/borgmatic||Runs BorgBackup from a configuration file
    bottom||0.14.2|btm|MIT|github.com/ClementTsang/bottom||Graphical monitor of processes in a terminal
    broot||1.57.0|=|MIT|dystroy.org/broot||Shows directories as a tree that can be searched
    btop||1.4.7|=|Apache-2.0|github.com/aristocratos/btop||Monitor of resources
    btrbk||0.32.6|=|GPL-3.0-only|digint.ch/btrbk||Backup of btrfs subvolumes by snapshots
    btrfs-assistant||2.2|btrfs-assistant-bin|GPL-3.0-only|gitlab.com/btrfs-assistant/btrfs-assistant||Desktop tool for btrfs
    btrfs-heatmap||9|=|MIT|github.com/knorrie/btrfs-heatmap||Draws how a btrfs file system is used
    btrfs-progs||7.0|btrfs|GPL-2.0-only|btrfs.readthedocs.io/en/latest||Tools for the btrfs file system
    bun||1.3.13|=|MIT,LGPL-2.1-only|bun.sh||Runtime, bundler and package manager for JavaScript
    bupstash||0.12.0|=|MIT|bupstash.io||Efficient encrypted backups
    byobu||6.15|=|GPL-3.0-or-later|www.byobu.org||Window manager and terminal multiplexer in text mode
    caddy||2.11.4|=|Apache-2.0|caddyserver.com||Web server with automatic HTTPS
    cadvisor||0.56.2|=|Apache-2.0|github.com/google/cadvisor||Analyses resource use of containers
    cargo-audit||0.22.1|=|MIT,Apache-2.0|rustsec.org||Finds vulnerable crates
    cargo-udeps||0.1.61|=|MIT|github.com/est31/cargo-udeps||Finds unused dependencies in Cargo.toml
    cassowary||0.19.0|=|MIT|github.com/rogerwelin/cassowary||Tool for HTTP load testing
    certbot||5.4.0|=|Apache-2.0|github.com/certbot/certbot||Client for ACME that updates servers
    checkbashisms||2.25.10|=|GPL-2.0-or-later|sourceforge.net/projects/checkbaskisms||Finds constructs of bash in shell scripts
    chromium||150.0.7871.46|=|BSD-3-Clause|www.chromium.org||Web browser
    chrony||4.8||GPL-2.0-only|chrony-project.org||Keeps the clock correct with NTP
    cider||1.6.3|=|AGPL-3.0-only|github.com/ciderapp/Cider|b|Plays Apple Music
    clair||4.9.0||Apache-2.0|github.com/quay/clair||Finds vulnerabilities in containers
    clang|clang-wrapper|21.1.8|clang|?|clang.llvm.org||Compiler of C and C++
    claude-code||2.1.197|claude|unfree|github.com/anthropics/claude-code|u|Agent that writes code in a terminal
    cloud-hypervisor||52.0|=|Apache-2.0,BSD-3-Clause|github.com/cloud-hypervisor/cloud-hypervisor||Virtual machine monitor on KVM
    cloud-init||25.2||Apache-2.0,GPL-3.0-or-later|github.com/canonical/cloud-init||Configures cloud instances
    cloud-utils||0.33||GPL-3.0|github.com/canonical/cloud-utils||Utilities for cloud instances
    cloudflared||2026.6.1|=|Apache-2.0|www.cloudflare.com/products/tunnel||Client for tunnels of Cloudflare
    codex||0.142.3|=|Apache-2.0|github.com/openai/codex||Agent that writes code in a terminal
    colmena||0.4.0|=|MIT|colmena.cli.rs/0.4||Deploys NixOS machines
    comma||2.4.1|=|MIT|github.com/nix-community/comma||Runs programs without installing them
    compose2nix||0.3.3|=|MIT|github.com/aksiksi/compose2nix||Generates NixOS configuration from compose files
    compsize||1.5-unstable-2023-12-24|=|GPL-2.0-or-later|github.com/kilobyte/compsize||Shows how well btrfs compresses files
    consul||1.22.7|=|BUSL-1.1|www.consul.io|u|Finds services
    coredns||1.14.3|=|Apache-2.0|coredns.io||DNS server with plugins
    coreutils||9.11||GPL-3.0-or-later|www.gnu.org/software/coreutils||Basic commands of GNU
    crowdsec||1.7.8|=|MIT|crowdsec.net||Collaborative protection against attacks
    crowdsec-firewall-bouncer||0.0.34|cs-firewall-bouncer|MIT|crowdsec.net||Blocks addresses that CrowdSec reports
    cunicu||0.12.0|=|Apache-2.0|cunicu.li||Mesh VPN between peers with WireGuard
    curl||8.20.0|=|curl|curl.se||Transfers files by URL
    curl-impersonate||1.5.6|=|curl,MIT|github.com/lexiforest/curl-impersonate||Transfers files by URL like a browser
    curlFull|curl|8.20.0|=|curl|curl.se||Transfers files by URL, with every feature
    curlie||1.8.2|=|MIT|rs.github.io/curlie||Frontend to curl with the ease of httpie
    dasel||3.8.1|=|MIT|github.com/TomWright/dasel||Queries and changes data structures
    davis||5.4.3||MIT|github.com/tchapi/davis||Simple CalDAV and CardDAV server
    deadnix||1.3.1|=|GPL-3.0-only|github.com/astro/deadnix||Finds unused code in Nix files
    dehydrated||0.7.2|=|MIT|github.com/lukas2511/dehydrated||Client for ACME as a shell script
    delta||0.19.2|=|MIT|github.com/dandavison/delta||Pager for Git with highlighted syntax
    dendrite|matrix-dendrite|0.15.2||AGPL-3.0-or-later|element-hq.github.io/dendrite||Matrix server in Go
    deno||2.8.3|=|MIT|deno.com||Runtime for JavaScript and TypeScript
    deploy-rs||0-unstable-2026-02-02|deploy|MPL-2.0|github.com/serokell/deploy-rs||Deploys profiles from flakes
    deskflow||1.26.0|=|GPL-2.0-or-later,OpenSSL,MIT|github.com/deskflow/deskflow||Shares a mouse and keyboard between computers
    diffoscope||323|=|GPL-3.0-or-later|diffoscope.org||Compares files and archives in depth
    difftastic||0.69.0|difft|MIT|github.com/Wilfred/difftastic||Diff that understands syntax
    dig|bind|9.20.24|dig|MPL-2.0|www.isc.org/bind||Asks DNS servers
    direnv||2.37.1|=|MIT|direnv.net||Loads environments by directory
    discord||1.0.144|Discord|unfree|discordapp.com|u|Chat for players
    dive||0.13.1|=|MIT|github.com/wagoodman/dive||Shows the layers of an image
    dmidecode||3.7|=|GPL-2.0-or-later|www.nongnu.org/dmidecode||Reads information of the BIOS
    dnsmasq||2.93|=|GPL-2.0-only|www.thekelleys.org.uk/dnsmasq/doc.html||DNS, DHCP and TFTP for small networks
    dnsutils|bind|9.20.24||MPL-2.0|www.isc.org/bind||DNS tools of BIND
    docker||29.6.0|=|Apache-2.0|www.docker.com||Runs applications in containers
    docker-buildx||0.31.1|=|Apache-2.0|github.com/docker/buildx||Builds images with BuildKit
    docker-client|docker|29.6.0|=|Apache-2.0|www.docker.com||Client of the Docker daemon
    docker-compose||5.2.0|=|Apache-2.0|github.com/docker/compose||Runs applications of many containers with Docker
    docker-compose-language-service||0.2.0|docker-compose-langserver|MIT|github.com/microsoft/compose-language-service||Language server for compose files
    docker-credential-helpers||0.9.7||MIT|github.com/docker/docker-credential-helpers||Stores passwords for Docker
    docker-ls||0.5.1||MIT|github.com/mayflower/docker-ls||Lists images in a registry
    docker_29|docker|29.6.0|=|Apache-2.0|www.docker.com||Runs applications in containers
    dockle||0.4.15|=|Apache-2.0|containers.goodwith.tech||Linter for container images
    doctl||1.160.1|=|Apache-2.0|github.com/digitalocean/doctl||Manages services of DigitalOcean
    doggo||1.2.0|=|GPL-3.0-only|github.com/mr-karan/doggo||DNS client for humans
    dovecot||2.4.4|=|MIT,publicDomain,LGPL-2.1-only,BSD-3-Clause,BSD-4-Clause|dovecot.org||IMAP server
    drill||0.9.0|=|GPL-3.0-only|github.com/fcsonline/drill||HTTP load testing by Ansible syntax
    dropbear||2026.91||MIT|matt.ucc.asn.au/dropbear/dropbear.html||Small SSH server
    dua||2.37.1|=|MIT|github.com/Byron/dua-cli||Shows and deletes large directories
    duf||0.9.1|=|MIT|github.com/muesli/duf||Shows free space of disks
    duplicity||3.0.7|=|GPL-2.0-or-later|duplicity.gitlab.io/duplicity-web||Encrypted backups with little bandwidth
    dust|du-dust|1.2.4|dust|Apache-2.0|github.com/bootandy/dust||Shows disk usage, like du
    dvtm||0.15||MIT|http://www.brain-dump.org/projects/dvtm||Dynamic manager of virtual terminals
    dyff||1.12.0|=|MIT|github.com/homeport/dyff||Diff for YAML files
    easytier||2.6.4|easytier-core|Apache-2.0|github.com/EasyTier/EasyTier||Mesh VPN with support for WireGuard
    elasticsearch||7.17.27||Elastic-2.0||u|Search engine
    emacs||30.2|=|GPL-3.0-or-later|www.gnu.org/software/emacs||Extensible text editor
    emacsPackages.forge||20260623.1325|||github.com/magit/forge||
    emacsPackages.magit||20260621.1253|||github.com/magit/magit||
    emacsPackages.magit-section||20260514.937|||github.com/magit/magit||
    emacsPackages.magit-todos||20250928.1611|||github.com/alphapapa/magit-todos||
    emacsPackages.nix-mode||20230421.2036|||github.com/NixOS/nix-mode||
    ente-cli||0.2.3|ente|AGPL-3.0-only|github.com/ente-io/ente/tree/main/cli#readme||Downloads encrypted photos from a backup
    esphome||2026.6.2|=|MIT,GPL-3.0-only|esphome.io||Firmware for microcontrollers
    eternal-terminal||6.2.11||Apache-2.0|eternalterminal.dev||Remote shell that reconnects automatically
    ethtool||7.0|=|GPL-2.0-or-later|www.kernel.org/pub/software/network/ethtool||Controls network drivers
    eza||0.23.4|=|EUPL-1.2|github.com/eza-community/eza||Lists files
    fail2ban||1.1.0||GPL-2.0-or-later|www.fail2ban.org||Bans IP addresses with repeated failing login attempts
    fastfetch||2.65.1|=|MIT|github.com/fastfetch-cli/fastfetch||Shows system information, like neofetch
    ffmpeg||8.1.1|=|LGPL-2.1-or-later,GPL-2.0-or-later,LGPL-3.0-or-later,GPL-3.0-or-later|www.ffmpeg.org||Records, converts and streams audio and video
    ffmpegthumbnailer||2.3.0|=|GPL-2.0-or-later|github.com/dirkvdb/ffmpegthumbnailer||Creates thumbnails of videos
    fio||3.42||GPL-2.0-or-later|git.kernel.dk/cgit/fio||Benchmark of input and output
    firefox||152.0.4|=|MPL-2.0|http://www.mozilla.com/en-US/firefox||Web browser
    firefox-esr|firefox|140.12.0esr|firefox-esr|MPL-2.0|http://www.mozilla.com/en-US/firefox||Web browser, long-term branch
    firestarter||2.0|FIRESTARTER|GPL-3.0|tu-dresden.de/zih/forschung/projekte/firestarter||Stress test of processors
    firewalld||2.4.3||GPL-2.0-or-later|firewalld.org||Firewall daemon with D-Bus
    fishPlugins.fzf-fish|fzf.fish|11.0||MIT|github.com/PatrickF1/fzf.fish||Key bindings of fzf for fish
    fishPlugins.tide||6.2.0||MIT|github.com/IlanCosman/tide||Prompt for fish
    fishPlugins.z||0-unstable-2022-04-08||MIT|github.com/jethrokuan/z||Jumps between directories
    flashmq||1.26.2|=|OSL-3.0|www.flashmq.org||Light MQTT broker
    fluent-bit||5.0.7|=|Apache-2.0|fluentbit.io||Processes logs and metrics
    fnm||1.39.0|=|GPL-3.0-only|github.com/Schniz/fnm||Manages versions of Node.js
    forgejo|forgejo-lts|15.0.3|forgejo|GPL-3.0-or-later|forgejo.org||Self-hosted software forge
    furmark||2.10.2|FurMark_GUI|unfree|www.geeks3d.com/furmark/v2|u|Stress test of graphics cards with OpenGL
    fx||39.2.0|=|MIT|github.com/antonmedv/fx||Viewer for JSON in a terminal
    garage||1.3.1|=|AGPL-3.0-only|garagehq.deuxfleurs.fr||Object store compatible with S3
    gatus||5.36.0|=|Apache-2.0|gatus.io||Status page for developers
    gcc|gcc-wrapper|15.2.0|gcc|GPL-3.0-or-later|gcc.gnu.org||Compiler collection of GNU
    gcc13|gcc-wrapper|13.4.0|gcc|GPL-3.0-or-later|gcc.gnu.org||Compiler collection of GNU
    gcc14|gcc-wrapper|14.3.0|gcc|GPL-3.0-or-later|gcc.gnu.org||Compiler collection of GNU
    gcc15|gcc-wrapper|15.2.0|gcc|GPL-3.0-or-later|gcc.gnu.org||Compiler collection of GNU
    gcc16|gcc-wrapper|16.1.0|gcc|GPL-3.0-or-later|gcc.gnu.org||Compiler collection of GNU
    gcr||3.41.2|gcr-viewer|LGPL-2.0-or-later|gitlab.gnome.org/GNOME/gcr||Library for passwords and keys
    gdu||5.36.1|=|MIT|github.com/dundee/gdu||Disk usage analyzer for consoles
    gemini-cli||0.47.0|gemini|Apache-2.0|github.com/google-gemini/gemini-cli||Agent for a terminal
    gfortran|gfortran-wrapper|15.2.0|gfortran|GPL-3.0-or-later|gcc.gnu.org||Compiler of Fortran
    gfortran14|gfortran-wrapper|14.3.0|gfortran|GPL-3.0-or-later|gcc.gnu.org||Compiler of Fortran
    ghfetch||0.0.19|=|MIT|github.com/orangekame3/ghfetch||Shows a GitHub user, like neofetch
    ghostscript|ghostscript-with-X|10.07.1|gs|AGPL-3.0-or-later|www.ghostscript.com||Interpreter of PostScript
    git||2.54.0|=|GPL-2.0|git-scm.com||Distributed version control
    git-absorb||0.9.0|=|BSD-3-Clause|github.com/tummychow/git-absorb||Creates fixup commits automatically
    git-cliff||2.13.1|=|GPL-3.0-only|github.com/orhun/git-cliff||Writes changelogs from commits
    git-crypt||0.8.0|=|GPL-3.0|www.agwa.name/projects/git-crypt||Encrypts files in a Git repository
    git-extras||7.5.0||MIT|github.com/tj/git-extras||Further commands for Git
    git-lfs||3.7.1|=|MIT|git-lfs.github.com||Extension of Git for large files
    git-remote-gcrypt||1.5|=|GPL-3.0|spwhitton.name/tech/code/git-remote-gcrypt||Encrypted Git remotes
    git-sizer||1.5.0|=|MIT|github.com/github/git-sizer||Measures large files in Git repositories
    gitMinimal|git-minimal|2.54.0|git|GPL-2.0|git-scm.com||Distributed version control, without scripts
    gitea||1.26.4|=|MIT|about.gitea.com||Server for Git repositories
    gitui||0.28.1|=|MIT|github.com/gitui-org/gitui||Interface to Git in a terminal
    gnome-keyring||50.0||LGPL-2.1-or-later,GPL-2.0-or-later|gitlab.gnome.org/GNOME/gnome-keyring||Stores secrets of GNOME applications
    gnome-secrets||12.3|secrets|GPL-3.0-only|gitlab.gnome.org/World/secrets||Password manager for KeePass files, offline
    gnugrep||3.12|grep|GPL-3.0-or-later|www.gnu.org/software/grep||Prints lines that match a pattern
    gnupg||2.4.9|gpg|GPL-3.0-or-later|gnupg.org||Encrypts and signs data
    gnutls||3.8.13||LGPL-2.1-or-later|gnutls.org||Library for TLS
    go||1.26.4|=|BSD-3-Clause|go.dev||Programming language
    go_1_25|go|1.25.11|=|BSD-3-Clause|go.dev||Programming language
    go_1_26|go|1.26.4|=|BSD-3-Clause|go.dev||Programming language
    gojq||0.12.19|=|MIT|github.com/itchyny/gojq||Reimplementation of jq in Go
    golangci-lint||2.12.2|=|GPL-3.0-or-later|golangci-lint.run||Runs linters for Go
    google-chrome||150.0.7871.46|google-chrome-stable|unfree|www.google.com/chrome/browser|u|Web browser of Google
    google-cloud-sdk||570.0.0|gcloud|free|cloud.google.com/sdk||Tools for Google Cloud
    google-cloud-sdk-gce|google-cloud-sdk|570.0.0|gcloud|free|cloud.google.com/sdk||Tools for Google Cloud, for its machines
    google-cloud-sql-proxy||2.23.0|cloud-sql-proxy|Apache-2.0|github.com/GoogleCloudPlatform/cloud-sql-proxy||Connects to databases of Google Cloud
    gopass||1.16.1|=|MIT|www.gopass.pw||Password manager for teams
    gopls||0.22.0|=|BSD-3-Clause|github.com/golang/tools/tree/master/gopls||Language server for Go
    gotools||0.44.0||BSD-3-Clause|go.googlesource.com/tools||Tools for Go
    gpg-tui||0.11.2|=|MIT|github.com/orhun/gpg-tui||Terminal interface to GnuPG
    gpgme||2.0.1||LGPL-2.1-or-later,GPL-3.0-or-later|gnupg.org/software/gpgme/index.html||Library for GnuPG
    gpu-burn||0-unstable-2026-05-27|gpu_burn|BSD-2-Clause|http://wili.cc/blog/gpu-burn.html|b|Stress test of graphics cards
    grafana||13.0.3|=|AGPL-3.0-only|grafana.com||Dashboards for metrics
    grafana-alloy||1.16.0|alloy|Apache-2.0|grafana.com/oss/alloy||Collects telemetry
    grafana-loki||3.7.3|loki|AGPL-3.0-only,Apache-2.0|grafana.com/oss/loki||Stores logs
    grafanaPlugins.grafana-clock-panel||3.2.2||MIT|grafana.com/grafana/plugins/grafana-clock-panel||Clock panel for Grafana
    graphicsmagick||1.3.47|gm|MIT|http://www.graphicsmagick.org||Processes images
    grype||0.115.0|=|Apache-2.0|github.com/anchore/grype||Vulnerability scanner for container images
    gsmartcontrol||2.0.2|=|GPL-2.0-or-later|gsmartcontrol.shaduri.dev||Shows the health of hard drives in a window
    haproxy||3.4.1|=|GPL-2.0-or-later,LGPL-2.1-only|haproxy.org||Load balancer for TCP and HTTP
    hcloud||1.64.1|=|MIT|github.com/hetznercloud/cli||Manages servers of Hetzner Cloud
    hddtemp||0.3-beta15|=|GPL-2.0-or-later|savannah.nongnu.org/projects/hddtemp||Shows the temperature of hard drives
    hdfview||3.3.2|HDFView|free|www.hdfgroup.org/downloads/hdfview|b|Viewer of HDF files
    hdparm||9.65|=|BSD-2-Clause|sourceforge.net/projects/hdparm||Gets and sets parameters of drives
    headscale||0.28.0|=|BSD-3-Clause|github.com/juanfont/headscale||Control server for Tailscale, self-hosted
    helix||25.07.1|hx|MPL-2.0|helix-editor.com||Modal text editor
    helix-unwrapped||25.07.1|hx|MPL-2.0|helix-editor.com||Modal text editor, without its grammars
    helm||0.9.0|=|GPL-3.0-or-later|tytel.org/helm||Polyphonic synthesizer
    helm-ls||0.5.4|helm_ls|MIT|github.com/mrjosh/helm-ls||Language server for Helm
    helmfile||1.6.0|=|MIT|helmfile.readthedocs.io||Deploys Helm charts declaratively
    helmfile-wrapped|helmfile|1.6.0|=|MIT|helmfile.readthedocs.io||Deploys Helm charts declaratively, with plugins
    helmsman||4.0.5|=|MIT|github.com/Praqma/helmsman||Deploys Helm charts as code
    hey||0.1.4|=|Apache-2.0|github.com/rakyll/hey||Generates HTTP load
    hickory-dns||0.26.1|=|Apache-2.0,MIT|hickory-dns.org||DNS server and resolver in Rust
    home-assistant|homeassistant|2026.6.4|hass|Apache-2.0|home-assistant.io||Home automation
    home-assistant-cli|homeassistant-cli|1.0.0|hass-cli|Apache-2.0|github.com/home-assistant-ecosystem/home-assistant-cli||Command line tool for Home Assistant
    home-assistant-custom-components.frigate|blakeblackshear/frigate|5.15.4||MIT|github.com/blakeblackshear/frigate-hass-integration||Frigate for Home Assistant
    home-manager||0-unstable-2026-04-24|=|MIT|nix-community.github.io/home-manager||Configures the environment of users with Nix
    homebox||0.25.0|api|AGPL-3.0-only,MIT|homebox.software||Inventory for a home
    homepage-dashboard||1.13.2|homepage|GPL-3.0|gethomepage.dev||Start page with links to services
    htop||3.5.1|=|GPL-2.0-only|htop.dev||Interactive viewer of processes
    httpie||3.2.4|http|BSD-3-Clause|httpie.org||HTTP client on the command line for humans
    httpstat||1.3.2|=|MIT|github.com/reorx/httpstat||Shows timings of a request with curl
    hurl||8.0.1|=|Apache-2.0|hurl.dev||Runs HTTP requests from a text file
    hyfetch||2.1.0|=|MIT|github.com/hykilpikonna/hyfetch||Shows system information with flags, like neofetch
    hyprpaper||0.8.4|=|BSD-3-Clause|github.com/hyprwm/hyprpaper||Wallpapers for Wayland
    icdiff||2.0.10||Python-2.0|github.com/jeffkaufman/icdiff||Coloured diff in two columns
    iftop||1.0pre4|=|GPL-2.0-or-later|http://ex-parrot.com/pdw/iftop||Shows bandwidth on an interface
    imagemagick||7.1.2-24|magick|Apache-2.0|http://www.imagemagick.org||Creates, edits and converts bitmap images
    imagemagickBig|imagemagick|7.1.2-24|magick|Apache-2.0|http://www.imagemagick.org||Creates, edits and converts images, all formats
    immich||2.7.5|server|AGPL-3.0-only,CC-BY-4.0|immich.app||Self-hosted photo and video backup
    immich-cli||2.7.5|immich|AGPL-3.0-only|immich.app/docs/features/command-line-interface||Uploads photos to Immich
    incus||7.2.0|=|Apache-2.0|linuxcontainers.org/incus||Manages containers and virtual machines
    innernet||1.7.1||MIT|github.com/tonarino/innernet||Private network that uses WireGuard
    input-leap||3.0.3||GPL-2.0-or-later|github.com/input-leap/input-leap||Shares a mouse and keyboard between computers
    intel-compute-runtime||26.22.38646.4|ocloc|MIT|github.com/intel/compute-runtime||OpenCL for Intel
    intel-gpu-tools||2.3||MIT|drm.pages.freedesktop.org/igt-gpu-tools||Tools for the graphics driver of Intel
    intel-media-driver||26.1.6||BSD-3-Clause,MIT|github.com/intel/media-driver||Video acceleration for Intel
    iotop||0.6|=|GPL-2.0-or-later|http://guichaz.free.fr/iotop||Shows which processes read and write most
    iperf3|iperf|3.21|iperf3|BSD-3-Clause|software.es.net/iperf||Measures bandwidth
    iproute2||7.0.0||GPL-2.0-only|wiki.linuxfoundation.org/networking/iproute2||Controls networking and traffic of Linux
    iptables||1.8.13|=|GPL-2.0-or-later|www.netfilter.org/projects/iptables/index.html||Packet filter of Linux, older interface
    isync||1.5.1|mbsync|GPL-2.0-or-later|isync.sourceforge.io||Synchronises IMAP mailboxes
    jaq||3.1.0|=|MIT|github.com/01mf02/jaq||Clone of jq that starts fast
    jdk|openjdk|21.0.12+2|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jdk11|openjdk|11.0.32+1|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jdk17|openjdk|17.0.20+2|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jdk21|openjdk|21.0.12+2|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jdk25|openjdk|25.0.4+1|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jdk8|openjdk|8u502-b01|java|GPL-2.0-only|openjdk.java.net||Java development kit
    jellyfin||10.11.11|=|GPL-2.0-or-later|jellyfin.org||Media server
    jellyfin-desktop||2.0.0|=|GPL-2.0-only,MIT|github.com/jellyfin/jellyfin-desktop||Desktop client of Jellyfin
    jellyfin-web||10.11.11||GPL-2.0-or-later|jellyfin.org||Web client of Jellyfin
    jetbrains-mono||2.304||OFL-1.1|jetbrains.com/mono||Font for developers
    jless||0.9.0|=|MIT|jless.io||Pager for JSON data
    joplin-cli||3.6.2|joplin|AGPL-3.0-or-later|joplinapp.org||Notes in a terminal
    joplin-desktop||3.6.15|=|AGPL-3.0-or-later|joplinapp.org||Notes and tasks
    jq||1.8.1|=|MIT|jqlang.github.io/jq||Command-line processor for JSON
    jql||8.0.10|=|Apache-2.0,MIT|github.com/yamafaktory/jql||Query language for JSON
    jruby||10.0.2.0||CPL-1.0,GPL-2.0,LGPL-2.1|www.jruby.org||Ruby on the Java machine
    k0sctl||0.31.0|=|Apache-2.0|k0sproject.io||Installs clusters of k0s
    k3d||5.9.0|=|MIT|github.com/k3d-io/k3d||Runs K3s in Docker
    k3s||1.35.6+k3s1|=|Apache-2.0|k3s.io||Small Kubernetes distribution
    k3s_1_33|k3s|1.33.13+k3s1|=|Apache-2.0|k3s.io||Small Kubernetes distribution
    k3s_1_34|k3s|1.34.9+k3s1|=|Apache-2.0|k3s.io||Small Kubernetes distribution
    k3s_1_35|k3s|1.35.6+k3s1|=|Apache-2.0|k3s.io||Small Kubernetes distribution
    k6||2.0.0|=|AGPL-3.0-or-later|k6.io||Load testing with JavaScript
    k9s||0.51.0|=|Apache-2.0|github.com/derailed/k9s||Terminal interface to Kubernetes
    kakoune|!|2026.05.21|kak|publicDomain|http://kakoune.org||Text editor inspired by Vim
    karma||0.125|=|Apache-2.0|karma-dashboard.io||Dashboard for alerts of Prometheus Alertmanager
    kdePackages.dolphin||26.04.2|=|BSD-2-Clause,BSD-3-Clause,CC0-1.0,GPL-2.0-only,GPL-2.0-or-later,GPL-3.0-only,LGPL-2.0-only,LGPL-2.0-or-later,LGPL-2.1-only,LGPL-3.0-only,GPL-3.0-or-later,LGPL-3.0-or-later,MIT|invent.kde.org/system/dolphin||File manager of KDE
    kdePackages.dolphin-plugins||26.04.2||CC0-1.0,GPL-2.0-or-later|invent.kde.org/sdk/dolphin-plugins||Plugins for Dolphin
    kdePackages.kate||26.04.2||CC0-1.0,GPL-2.0-or-later,LGPL-2.0-only,LGPL-2.0-or-later,MIT|invent.kde.org/utilities/kate||Advanced text editor
    kdePackages.konsole||26.04.2|=|CC0-1.0,GPL-2.0-only,GPL-2.0-or-later,GPL-3.0-only,LGPL-2.0-only,GPL-3.0-or-later,MIT|invent.kde.org/utilities/konsole||Terminal of KDE
    kdePackages.okular||26.04.2|=|BSD-2-Clause,BSD-3-Clause,CC0-1.0,GPL-2.0-only,GPL-2.0-or-later,GPL-3.0-only,LGPL-2.0-only,LGPL-2.0-or-later,GPL-3.0-or-later,MIT,X11|invent.kde.org/graphics/okular||Document viewer of KDE
    keepass||2.60|=|GPL-2.0|http://www.keepass.info||Password manager, works offline
    keepassxc||2.7.12|=|GPL-2.0-or-later|keepassxc.org||Offline password manager
    keycloak||26.6.3||Apache-2.0|www.keycloak.org||Identity and access management
    keyutils||1.6.3||GPL-2.0-or-later|people.redhat.com/dhowells/keyutils||Tools for the key management of the kernel
    kind||0.31.0|=|Apache-2.0|github.com/kubernetes-sigs/kind||Kubernetes in Docker, for tests
    knot-resolver_5||5.7.6|kresd|GPL-3.0-or-later|knot-resolver.cz||Caching and validating DNS resolver, older branch
    knot-resolver_6||6.4.0|kresd|GPL-3.0-or-later|knot-resolver.cz||Caching and validating DNS resolver
    komorebi||2.2.1||GPL-3.0-only|github.com/Komorebi-Fork/komorebi|b|Wallpapers that can be customised
    kopia||0.23.1|=|Apache-2.0|kopia.io||Incremental backups with encryption
    ktls-utils||1.3.0|tlshd|GPL-2.0-only|github.com/oracle/ktls-utils||TLS handshake utilities for the kernel
    kubeconform||0.7.0|=|Apache-2.0|github.com/yannh/kubeconform||Validates Kubernetes files
    kubectl||1.36.2|=|Apache-2.0|github.com/kubernetes/kubectl||Controls Kubernetes clusters
    kubectl-tree||0.6.0|=|Apache-2.0|github.com/ahmetb/kubectl-tree||Shows objects of Kubernetes as a tree
    kubectx||0.11.0||Apache-2.0|github.com/ahmetb/kubectx||Switches between clusters
    kubernetes||1.36.2||Apache-2.0|kubernetes.io||Schedules containers in a cluster
    kubernetes-helm||4.2.2|helm|Apache-2.0|github.com/helm/helm||Package manager for Kubernetes
    kubernetes-helm-wrapped|!helm|4.2.2|=|Apache-2.0|github.com/helm/helm||Package manager for Kubernetes, with plugins
    kubeseal||0.36.0|=|Apache-2.0|github.com/bitnami-labs/sealed-secrets||Encrypted secrets for Kubernetes
    lan-mouse||0.11.0|=|GPL-3.0-only|github.com/feschber/lan-mouse||Shares a mouse and keyboard over the network
    lazydocker||0.25.2|=|MIT|github.com/jesseduffield/lazydocker||Terminal interface to Docker and docker-compose
    lazygit||0.62.2|=|MIT|github.com/jesseduffield/lazygit||Simple interface to Git in a terminal
    ldns||1.9.0|drill|BSD-3-Clause|www.nlnetlabs.nl/projects/ldns||Library for DNS in C
    legit||1.2.0.post0|=|BSD-3-Clause|github.com/frostming/legit||Git for humans
    lego||4.35.2|=|MIT|go-acme.github.io/lego||Client and library for ACME
    libressl||4.2.1||publicDomain,BSD-4-Clause,0BSD,BSD-3-Clause,GPL-3.0,ISC,OpenSSL|www.libressl.org||Free implementation of TLS
    librewolf||152.0.4-1|=|MPL-2.0|librewolf.net||Web browser with privacy
    libsecret||0.21.7|secret-tool|LGPL-2.1-or-later|gitlab.gnome.org/GNOME/libsecret||Library for storing and retrieving passwords
    libvirt||12.4.0||LGPL-2.0-or-later|libvirt.org||Manages virtual machines
    libx11||1.8.13||MIT,MIT-open-group,X11,HPND-doc,HPND-sell-variant,TekHVC,HPND-doc-sell,HPND,BSD-1-Clause,ISC|gitlab.freedesktop.org/xorg/lib/libx11||Client library of X11
    libxext||1.3.7||MIT-open-group,X11,HPND,HPND-sell-variant,HPND-doc-sell,HPND-doc,MIT,ISC|gitlab.freedesktop.org/xorg/lib/libxext||Extensions of the X11 protocol
    libxi||1.8.2||MIT-open-group,HPND,MIT|gitlab.freedesktop.org/xorg/lib/libxi||Input extension of X11
    libxt||1.3.1||MIT,HPND-sell-variant,HPND,MIT-open-group,X11|gitlab.freedesktop.org/xorg/lib/libxt||Toolkit for X11
    lighttpd||1.4.84|=|BSD-3-Clause|http://www.lighttpd.net||Light web server
    linux||6.18.37||GPL-2.0-only|www.kernel.org||Linux kernel
    linux-firmware||20260622||unfreeRedistributableFirmware|||Firmware for devices
    linuxKernel.kernels.linux_6_12|linux|6.12.94||GPL-2.0-only|www.kernel.org||Linux kernel
    linuxKernel.packages.linux_6_12.kernel|linux|6.12.94||GPL-2.0-only|www.kernel.org||Linux kernel
    linuxKernel.packages.linux_6_12.v4l2loopback||0.15.3|v4l2loopback-ctl|GPL-2.0-only|github.com/umlaeute/v4l2loopback||Virtual video devices
    linuxPackages.kernel|linux|6.18.37||GPL-2.0-only|www.kernel.org||Linux kernel
    linuxPackages.nvidia_x11|nvidia-x11|595.84||unfreeRedistributable|www.nvidia.com/object/unix.html|u|Driver for NVIDIA cards
    linuxPackages.v4l2loopback||0.15.3|v4l2loopback-ctl|GPL-2.0-only|github.com/umlaeute/v4l2loopback||Virtual video devices
    linux_latest|linux|7.1.2||GPL-2.0-only|www.kernel.org||Linux kernel
    linux_zen|linux-zen|7.1.2||GPL-2.0-only|www.kernel.org||Linux kernel for desktops
    litecli||1.17.1|=|BSD-3-Clause|litecli.com||Client for SQLite with completion
    litestream||0.5.11|=|Apache-2.0|litestream.io||Replicates SQLite databases
    lix||2.95.2|nix|LGPL-2.1-or-later|lix.systems||Package manager, fork of Nix
    llama-cpp||9842|llama|MIT|github.com/ggml-org/llama.cpp||Runs language models in C++
    llvm||21.1.8||?|llvm.org||Compiler infrastructure
    llvmPackages_20.llvm||20.1.8||?|llvm.org||Compiler infrastructure
    llvmPackages_21.clang|clang-wrapper|21.1.8|clang|?|clang.llvm.org||Compiler of C and C++
    llvm_19|llvm|19.1.7||?|llvm.org||Compiler infrastructure
    llvm_20|llvm|20.1.8||?|llvm.org||Compiler infrastructure
    llvm_21|llvm|21.1.8||?|llvm.org||Compiler infrastructure
    lm_sensors|lm-sensors|3.6.2|sensors|LGPL-2.1-or-later,GPL-2.0-or-later|hwmon.wiki.kernel.org/lm_sensors||Reads hardware sensors
    logstash||7.17.27||Elastic-2.0|www.elastic.co/products/logstash|u|Pipeline for logs
    lshw||02.20|=|GPL-2.0|ezix.org/project/wiki/HardwareLiSter||Lists hardware
    lua||5.2.4|=|MIT|www.lua.org||Embeddable scripting language
    lua54Packages.lpeg||1.1.0-2||?|www.inf.puc-rio.br/~roberto/lpeg.html||Parsing expression grammars for Lua
    lua5_1|lua|5.1.5|=|MIT|www.lua.org||Embeddable scripting language
    lua5_2|lua|5.2.4|=|MIT|www.lua.org||Embeddable scripting language
    lua5_3|lua|5.3.6|=|MIT|www.lua.org||Embeddable scripting language
    lua5_4|lua|5.4.7|=|MIT|www.lua.org||Embeddable scripting language
    lua5_5|lua|5.5.0|=|MIT|www.lua.org||Embeddable scripting language
    luaPackages.lpeg||1.1.0-2||?|www.inf.puc-rio.br/~roberto/lpeg.html||Parsing expression grammars for Lua
    luaPackages.lpeg_patterns||0.5-0||MIT|github.com/daurnimator/lpeg_patterns/archive/v0.5.zip||Patterns for LPeg
    luaPackages.lua-cjson||2.1.0.10-1||MIT|http://www.kyne.com.au/~mark/software/lua-cjson.php||JSON for Lua
    luaPackages.luafilesystem||1.9.0-1||?|github.com/lunarmodules/luafilesystem||Files for Lua
    luaPackages.luasocket||3.1.0-1||MIT|github.com/lunarmodules/luasocket||Network for Lua
    luajit||2.1.1774638290|lua|MIT|luajit.org||Compiler for Lua at run time
    luajitPackages.lpeg||1.1.0-2||?|www.inf.puc-rio.br/~roberto/lpeg.html||Parsing expression grammars for Lua
    luarocks||3.13.0-1|=|MIT|http://www.luarocks.org||Package manager for Lua
    mariadb|mariadb-server|11.4.12||GPL-2.0-or-later|mariadb.org||Relational database, compatible with MySQL
    mariadb-connector-c||3.3.5||LGPL-2.1-or-later|github.com/mariadb-corporation/mariadb-connector-c||Client library for MariaDB
    mariadb.client|mariadb-client|11.4.12||GPL-2.0-or-later|mariadb.org||Client of MariaDB
    mariadb_1011|mariadb-server|10.11.18||GPL-2.0-or-later|mariadb.org||Relational database, compatible with MySQL
    mariadb_106|mariadb-server|10.6.27||GPL-2.0-or-later|mariadb.org||Relational database, compatible with MySQL
    mariadb_114|mariadb-server|11.4.12||GPL-2.0-or-later|mariadb.org||Relational database, compatible with MySQL
    mariadb_118|mariadb-server|11.8.8||GPL-2.0-or-later|mariadb.org||Relational database, compatible with MySQL
    mastodon||4.6.2||AGPL-3.0-or-later|joinmastodon.org||Microblogging server
    matrix-authentication-service||1.17.0|mas-cli|AGPL-3.0-only|github.com/element-hq/matrix-authentication-service||Login for Matrix servers
    matrix-conduit||0.10.12|conduit|Apache-2.0|conduit.rs||Matrix server in Rust
    matrix-continuwuity||0.5.10|conduwuit|Apache-2.0|continuwuity.org||Matrix server in Rust
    matrix-hookshot||7.3.3|=|Apache-2.0|matrix-org.github.io/matrix-hookshot||Bridge from Matrix to services
    matrix-synapse||1.155.0||AGPL-3.0-or-later|matrix.org||Matrix server
    matrix-synapse-unwrapped|matrix-synapse|1.155.0||AGPL-3.0-or-later|matrix.org||Matrix server, without plugins
    mautrix-signal||26.06|=|AGPL-3.0-or-later|github.com/mautrix/signal||Bridge from Matrix to Signal
    mautrix-whatsapp||26.06|=|AGPL-3.0-or-later|github.com/mautrix/whatsapp||Bridge from Matrix to WhatsApp
    mbedtls||3.6.6||Apache-2.0,GPL-2.0-or-later|www.trustedfirmware.org/projects/mbed-tls||Portable library for TLS
    meilisearch||1.48.2|=|MIT|docs.meilisearch.com||Search engine that is easy to use
    memcached||1.6.42|=|BSD-3-Clause|http://memcached.org||Caches objects in memory
    memtester||4.7.1|=|GPL-2.0-only|http://pyropus.ca/software/memtester||Tests memory
    miller||6.19.0|mlr|BSD-2-Clause|github.com/johnkerl/miller||Like awk and sort, for CSV, TSV and JSON data
    minica||1.1.0|=|MIT|github.com/jsha/minica||Generates self-signed certificates
    minio||2025-10-15T17-29-55Z|=|AGPL-3.0-or-later|www.minio.io|i|Object storage compatible with S3
    minio-client||2025-08-13T08-35-41Z|mc|Apache-2.0|github.com/minio/mc||Lists and copies objects in storage
    mkcert||1.4.4|=|BSD-3-Clause|github.com/FiloSottile/mkcert||Certificates for development that are trusted locally
    mongodb||7.0.37||SSPL-1.0|http://www.mongodb.org|u|Document database
    monit||5.35.2|=|AGPL-3.0-or-later|mmonit.com/monit||Watches processes
    mosh||1.4.0||GPL-3.0-or-later|mosh.org||Remote shell that survives roaming
    mosquitto||2.1.2|=|EPL-1.0|mosquitto.org||Open source MQTT broker
    mozillavpn||2.38.0|=|MPL-2.0|vpn.mozilla.org||Client of a VPN
    mqttui||0.23.0|=|GPL-3.0-only|github.com/EdJoPaTo/mqttui||Terminal client for MQTT
    mqttx||1.12.1|=|Apache-2.0|mqttx.app||Desktop client for MQTT
    msmtp||1.8.32|=|GPL-3.0-or-later|marlam.de/msmtp||Sends mail over SMTP
    mtm||1.2.1|=|GPL-3.0-or-later|github.com/deadpixi/mtm||Tiny terminal multiplexer
    mycli||1.44.2|=|BSD-3-Clause|http://mycli.net||Client for MySQL with completion
    mysql84|mysql|8.4.9||GPL-2.0|www.mysql.com||Relational database
    nagios||4.5.11|=|GPL-2.0-only|www.nagios.org||Watches hosts and services
    nagiosPlugins.check_zfs|check-zfs|2.0|check_zfs|GPL-3.0-only|github.com/zlacelle/nagios_check_zfs_linux||Checks the health of ZFS pools
    nanomq||0.24.11||MIT|nanomq.io|i|Fast MQTT broker for the edge
    natron||2.5.0||GPL-2.0|natron.fr|b|Composes video with nodes
    navi||2.24.0|=|Apache-2.0|github.com/denisidoro/navi||Cheatsheets of commands
    ncdu||2.9.2|=|MIT|dev.yorhel.nl/ncdu||Disk usage analyzer with ncurses
    nebula||1.10.3||MIT|github.com/slackhq/nebula||Overlay network with certificates
    neomutt||20260504|=|GPL-2.0-or-later|www.neomutt.org||Mail client in a terminal
    neovide||0.16.2|=|MIT|neovide.dev||Graphical interface to Neovim
    neovim||0.12.3|nvim|Apache-2.0,Vim|neovim.io||Text editor based on Vim
    neovim-remote||2.5.1|nvr|MIT|github.com/mhinz/neovim-remote||Controls Neovim from a terminal
    neovim-unwrapped||0.12.3|nvim|Apache-2.0,Vim|neovim.io||Text editor based on Vim, without plugins
    nerd-fonts.fira-code|nerd-fonts-fira-code|3.4.0+6.2||OFL-1.1,MIT|nerdfonts.com||Fira Code with further icons
    nerd-fonts.jetbrains-mono|nerd-fonts-jetbrains-mono|3.4.0+2.304||OFL-1.1,MIT|nerdfonts.com||JetBrains Mono with further icons
    net-tools||2.10||GPL-2.0-or-later|http://net-tools.sourceforge.net||Controls the network subsystem of Linux
    netbird|netbird-client|0.73.1|netbird|BSD-3-Clause|netbird.io||Private mesh network over WireGuard
    netdata||2.10.3|=|GPL-3.0-or-later|www.netdata.cloud||Monitor of performance in real time
    nethogs||0.8.8|=|GPL-2.0-or-later|github.com/raboof/nethogs#readme||Shows bandwidth by process
    nextcloud-client||33.0.7|nextcloud|GPL-2.0-or-later|nextcloud.com||Desktop client that syncs with Nextcloud
    nextcloud-talk-desktop||2.1.1|=|AGPL-3.0-only|github.com/nextcloud/talk-desktop||Desktop client for chats of Nextcloud
    nextcloud32|nextcloud|32.0.12||AGPL-3.0-or-later|nextcloud.com||Shares files, calendars and contacts
    nextcloud33|nextcloud|33.0.6||AGPL-3.0-or-later|nextcloud.com||Shares files, calendars and contacts
    nftables||1.1.6|nft|GPL-2.0-only|netfilter.org/projects/nftables||Packet filter of the Linux kernel
    nginx||1.30.3|=|BSD-2-Clause,BSD-2-Clause,BSD-2-Clause,BSD-2-Clause|nginx.org||Web server and reverse proxy
    nginx-config-formatter||1.4.0|nginxfmt|Apache-2.0|github.com/slomkowski/nginx-config-formatter||Formats configuration files of Nginx
    nginx-language-server||0.9.0|=|GPL-3.0-only|github.com/pappasam/nginx-language-server||Language server for nginx.conf
    nginxMainline|nginx|1.31.2|=|BSD-2-Clause,BSD-2-Clause,BSD-2-Clause|nginx.org||Web server and reverse proxy, newest branch
    nginxStable|nginx|1.30.3|=|BSD-2-Clause,BSD-2-Clause,BSD-2-Clause,BSD-2-Clause|nginx.org||Web server and reverse proxy, stable branch
    ngrep||1.49.0|=|ngrep|github.com/jpr5/ngrep||Searches network packets
    nil||2025-06-13|=|MIT,Apache-2.0|github.com/oxalica/nil||Language server for Nix
    nix||2.34.7|=|LGPL-2.1-or-later|nixos.org/nix||Package manager
    nix-btm||0.2.0||MIT|github.com/DieracDelta/nix-btm||Shows builds of Nix, like bottom
    nix-diff|||=||||Explains why two derivations differ
    nix-du||1.2.4|=|LGPL-3.0-only|github.com/symphorien/nix-du||Shows which garbage collector roots take space
    nix-index||0.1.10|=|BSD-3-Clause|github.com/nix-community/nix-index||Index of the files in nixpkgs
    nix-init||0.3.6|=|MPL-2.0|github.com/nix-community/nix-init||Generates packages from URLs
    nix-inspect||0.1.2|=|MIT|github.com/bluskript/nix-inspect||Inspects configurations interactively
    nix-ld||2.0.6||MIT|github.com/nix-community/nix-ld||Runs unpatched binaries on NixOS
    nix-melt||0.1.3|=|MPL-2.0|github.com/nix-community/nix-melt||Viewer of flake.lock
    nix-output-monitor|!||nom||||Shows what Nix builds
    nix-search||0.4.0|=|GPL-3.0-only|github.com/diamondburned/nix-search||Searches packages
    nix-search-cli||0.3-unstable-2025-12-03|nix-search|MIT|github.com/peterldowns/nix-search-cli||Searches packages on the command line
    nix-serve||0.2-a7e046d|=|LGPL-2.1|github.com/edolstra/nix-serve||Serves a store as a binary cache
    nix-top||0.4.0|=|MIT|github.com/jerith666/nix-top||Shows what Nix builds, like top
    nix-tree|||=||||Shows the dependencies of store paths as a tree
    nix-update||1.16.0|=|MIT|github.com/Mic92/nix-update||Updates packages
    nixVersions.git|nix|2.35pre20260619_f8bb823a|=|LGPL-2.1-or-later|nixos.org/nix||Package manager, unreleased
    nixVersions.latest|nix|2.34.7|=|LGPL-2.1-or-later|nixos.org/nix||Package manager
    nixVersions.nix_2_31|nix|2.31.5|=|LGPL-2.1-or-later|nixos.org/nix||Package manager
    nixVersions.nix_2_34|nix|2.34.7|=|LGPL-2.1-or-later|nixos.org/nix||Package manager
    nixd||2.9.1|=|LGPL-3.0-or-later|github.com/nix-community/nixd||Language server for Nix
    nixfmt|!||=||||Formats Nix code
    nixos-anywhere||1.13.0|=|MIT|github.com/nix-community/nixos-anywhere||Installs NixOS over SSH
    nixos-generators||1.8.0|nixos-generate|MIT|github.com/nix-community/nixos-generators||Builds images of NixOS
    nixos-rebuild-ng||26.11|nixos-rebuild|MIT|||Rebuilds and activates a NixOS configuration
    nixpkgs-fmt||1.3.0|=|Apache-2.0|nix-community.github.io/nixpkgs-fmt||Formats code of nixpkgs
    nixpkgs-lint||1|=||||Finds errors in nixpkgs
    nixpkgs-review||3.9.0|=|MIT|github.com/Mic92/nixpkgs-review||Reviews pull requests of nixpkgs
    njq||0.0.3.1|=|MIT|github.com/Rucadi/njq||Command-line processor for JSON with Nix as its language
    nload||0.7.4|=|GPL-2.0|www.roland-riegel.de/nload/index.html||Shows bandwidth by interface
    nmap||7.99||GPL-2.0-only|http://www.nmap.org||Scans networks and ports
    node-red||4.1.8|=|Apache-2.0|nodered.org||Programs event-driven applications graphically
    nodejs||24.16.0|node|MIT|nodejs.org||JavaScript runtime
    nodejs-slim||24.16.0|node|MIT|nodejs.org||JavaScript runtime, without npm
    nodejs-slim_22|nodejs-slim|22.23.1|node|MIT|nodejs.org||JavaScript runtime, without npm
    nodejs_20|nodejs|20.20.2|node|MIT|nodejs.org|i|JavaScript runtime
    nodejs_22|nodejs|22.23.1|node|MIT|nodejs.org||JavaScript runtime
    nodejs_24|nodejs|24.16.0|node|MIT|nodejs.org||JavaScript runtime
    nodejs_26|nodejs|26.4.0|node|MIT|nodejs.org||JavaScript runtime
    nom||3.3.2|=|GPL-3.0-only|github.com/guyfedwards/nom||Reader of RSS feeds in a terminal
    nomad||1.11.3|=|BUSL-1.1|developer.hashicorp.com/nomad|u|Schedules workloads
    ntp||4.2.8p18||?|www.ntp.org||Keeps the clock correct with NTP, reference
    ntpd-rs||1.9.0|ntp-ctl|MIT,Apache-2.0|tweedegolf.nl/en/pendulum||NTP daemon in Rust
    nvme-cli||2.16|nvme|GPL-2.0-or-later|github.com/linux-nvme/nvme-cli||Tools for NVMe devices
    nvtopPackages.full|nvtop|3.3.2|=|GPL-3.0-only|github.com/Syllo/nvtop||Monitor of graphics cards, like htop
    obsidian||1.12.7|=|obsidian|obsidian.md|u|Notes in Markdown
    ocamlPackages.async||0.17.0||MIT|github.com/janestreet/async||Concurrency by monads
    ocamlPackages.cohttp-lwt||6.2.1||ISC|github.com/mirage/ocaml-cohttp||HTTP with Lwt
    ocamlPackages.js_of_ocaml-lwt||6.4.0||GPL-2.0|ocsigen.org/js_of_ocaml||Lwt in a browser
    ocamlPackages.lwt||6.1.2||MIT|ocsigen.org/lwt||Cooperative threads for OCaml
    ocamlPackages.lwt_ppx||6.1.2||MIT|ocsigen.org/lwt||Syntax extension for Lwt
    ocamlPackages.lwt_ssl||1.2.0||LGPL-2.1|github.com/aantron/lwt_ssl||TLS for Lwt
    odyssey||1.5.0|=|BSD-3-Clause|github.com/yandex/odyssey||Scalable connection pooler for PostgreSQL
    oha||1.14.0|=|MIT|github.com/hatoo/oha||Generates HTTP load, with a terminal interface
    ollama||0.30.7|=|MIT|github.com/ollama/ollama||Runs language models locally
    onetbb||2022.3.0||Apache-2.0|uxlfoundation.github.io/oneTBB||Library for parallel programs
    oniguruma||6.9.10|onig-config|BSD-2-Clause|github.com/kkos/oniguruma||Library for regular expressions
    open-webui||0.10.1|=|?|github.com/open-webui/open-webui|u|Web interface to language models
    openbao||2.5.5|bao|MPL-2.0|www.openbao.org||Manages secrets, fork of Vault
    opencode||1.17.9|=|MIT|github.com/anomalyco/opencode||Agent that writes code
    openjdk17|openjdk|17.0.20+2|java|GPL-2.0-only|openjdk.java.net||Java development kit
    openjdk21|openjdk|21.0.12+2|java|GPL-2.0-only|openjdk.java.net||Java development kit
    openntpd||6.8p1||BSD-3-Clause|www.openntpd.org||NTP daemon of OpenBSD
    openresty||1.31.1.1||BSD-2-Clause|openresty.org||Web server based on Nginx, with Lua
    opensearch||3.5.0||Apache-2.0|github.com/opensearch-project/OpenSearch||Search engine
    openssh||10.3p1|ssh|BSD-2-Clause|www.openssh.com||SSH client and server
    openssh_gssapi|openssh-with-gssapi|10.3p1|ssh|BSD-2-Clause|www.openssh.com||SSH client and server with GSSAPI
    openssl||3.6.2|=|Apache-2.0|www.openssl.org||Library and tool for TLS and cryptography
    openssl_1_1|openssl|1.1.1w|=|OpenSSL|www.openssl.org|i|Library and tool for TLS, without support
    openssl_3|openssl|3.0.21|=|Apache-2.0|www.openssl.org||Library and tool for TLS, long-term branch
    opentofu||1.12.3|tofu|MPL-2.0|opentofu.org||Builds and changes infrastructure
    openvpn||2.6.19|=|GPL-2.0-only|openvpn.net||Tunnels for virtual private networks
    openvscode-server||1.109.5|=|MIT|github.com/gitpod-io/openvscode-server||Visual Studio Code on a server
    osv-scanner||2.3.3|=|Apache-2.0|github.com/google/osv-scanner||Vulnerability scanner for dependencies
    owncloud-client||6.0.3||GPL-2.0-or-later|owncloud.org||Desktop client that syncs with ownCloud
    p7zip||17.06|7z|LGPL-2.0-or-later,BSD-3-Clause|github.com/p7zip-project/p7zip||Fork of 7-Zip for POSIX systems
    packer||1.15.4||BUSL-1.1|www.packer.io|u|Creates images for virtual machines
    pam_u2f||1.4.0|pamu2fcfg|BSD-2-Clause|developers.yubico.com/pam-u2f||Authenticates with a U2F device
    paperless-ngx||2.20.15|=|GPL-3.0-only|docs.paperless-ngx.com||Scans and archives documents
    parallel||20260422|=|GPL-3.0-or-later|www.gnu.org/software/parallel||Runs jobs in parallel
    pass|password-store|1.7.4|pass|GPL-2.0-or-later|www.passwordstore.org||Stores passwords in files encrypted by GnuPG
    patroni||4.1.2|=|MIT|patroni.readthedocs.io/en/latest||Template for PostgreSQL clusters
    pay-respects||0.8.8|=|AGPL-3.0-or-later|codeberg.org/iff/pay-respects||Corrects commands, alternative to thefuck
    pciutils||3.15.0|lspci|GPL-2.0-or-later|mj.ucw.cz/sw/pciutils||Tools for PCI devices
    pcre2||10.46||BSD-3-Clause|www.pcre.org||Library for regular expressions
    pdns-recursor||5.4.3||GPL-2.0-only|www.powerdns.com||Recursive DNS server
    percona-server||8.4.8-8||GPL-2.0-only|www.percona.com/software/mysql-database/percona-server||Relational database, compatible with MySQL
    perlPackages.DBDPg|DBD-Pg|3.17.0||Artistic-1.0,GPL-1.0-or-later|search.cpan.org/dist/DBD-Pg||PostgreSQL driver for DBI
    perlPackages.DBDSQLite|DBD-SQLite|1.74||Artistic-1.0,GPL-1.0-or-later|metacpan.org/dist/DBD-SQLite||SQLite driver for DBI
    perlPackages.DBDmysql|DBD-mysql|5.010||Artistic-1.0,GPL-1.0-or-later|metacpan.org/dist/DBD-mysql||MySQL driver for DBI
    perlPackages.DBI||1.648||Artistic-1.0,GPL-1.0-or-later|dbi.perl.org||Interface to databases for Perl
    perlPackages.DBIxClass|DBIx-Class|0.082843|dbicadmin|Artistic-1.0,GPL-1.0-or-later|metacpan.org/pod/DBIx::Class||Maps objects to relations
    perlPackages.DateTime||1.59||Artistic-2.0|metacpan.org/release/DateTime||Dates and times for Perl
    perlPackages.JSON||4.10||Artistic-1.0,GPL-1.0-or-later|metacpan.org/dist/JSON||JSON for Perl
    perlPackages.JSONXS|JSON-XS|4.03|json_xs|Artistic-1.0,GPL-1.0-or-later|metacpan.org/dist/JSON-XS||Fast JSON for Perl
    perlPackages.LWP|libwww-perl|6.72||Artistic-1.0,GPL-1.0-or-later|metacpan.org/dist/libwww-perl||Web client for Perl
    perlPackages.Moose||2.2206|moose-outdated|Artistic-1.0,GPL-1.0-or-later|http://moose.perl.org||Object system for Perl
    pfetch||1.11.0|=|MIT|github.com/Un1q32/pfetch||Shows system information
    pg_activity||3.6.2|=|PostgreSQL|github.com/dalibo/pg_activity||Shows the activity of a PostgreSQL server
    pg_top||4.1.3|=|BSD-3-Clause|pg_top.gitlab.io||Shows the processes of PostgreSQL
    pgadmin4|pgadmin|9.14|pgadmin4|MIT|www.pgadmin.org||Administration of PostgreSQL in a browser
    pgbackrest||2.58.0|=|MIT|pgbackrest.org||Backup and restore of PostgreSQL
    pgbouncer||1.25.2|=|ISC|www.pgbouncer.org||Light connection pooler for PostgreSQL
    pgcli||4.5.0|=|BSD-3-Clause|pgcli.com||Client for PostgreSQL with completion
    pgdog||0.1.46|=|AGPL-3.0-only|pgdog.dev||Connection pooler and load balancer for PostgreSQL
    pgformatter||5.10|pg_format|?|github.com/darold/pgFormatter||Formats SQL
    pgloader||3.6.9|=|PostgreSQL|pgloader.io||Loads data into PostgreSQL
    photoprism||251130-b3068414c|=|AGPL-3.0-only|photoprism.app||Self-hosted photo collection
    php|php-with-extensions|8.4.22|php|PHP-3.01|www.php.net||Scripting language for the web
    php82|php-with-extensions|8.2.31|php|PHP-3.01|www.php.net||Scripting language for the web
    php83|php-with-extensions|8.3.31|php|PHP-3.01|www.php.net||Scripting language for the web
    php83Extensions.redis||6.3.0||PHP-3.01|github.com/phpredis/phpredis||PHP extension for Redis
    php84|php-with-extensions|8.4.22|php|PHP-3.01|www.php.net||Scripting language for the web
    php85|php-with-extensions|8.5.7|php|PHP-3.01|www.php.net||Scripting language for the web
    phpExtensions.apcu||5.1.28||PHP-3.01|pecl.php.net/package/APCu||Cache for PHP
    phpExtensions.imagick||3.8.1||PHP-3.01|pecl.php.net/package/imagick||PHP extension for images
    phpExtensions.memcached||3.4.0||PHP-3.01|github.com/php-memcached-dev/php-memcached||PHP extension for Memcached
    phpExtensions.redis||6.3.0||PHP-3.01|github.com/phpredis/phpredis||PHP extension for Redis
    phpExtensions.xdebug||3.5.3||PHP-3.01|xdebug.org||Traces and profiles PHP
    phpunit||13.2.1|=|BSD-3-Clause|phpunit.de||Tests for PHP
    pigz||2.8|=|Zlib|www.zlib.net/pigz||Parallel compression by gzip
    pixz||1.0.7|=|BSD-2-Clause|github.com/vasi/pixz||Parallel compression by xz
    plex|plexmediaserver|1.43.2.10687-563d026ea|=|unfree|plex.tv|u|Media server
    pnpm||11.9.0|=|MIT|pnpm.io||Package manager for JavaScript
    podman||5.8.4|=|Apache-2.0|podman.io||Runs containers without a daemon
    podman-compose||1.6.0|=|GPL-2.0-only|github.com/containers/podman-compose||Compose files with Podman
    podman-tui||1.11.3|=|Apache-2.0|github.com/containers/podman-tui||Terminal interface to Podman
    poetry||2.4.1|=|MIT|python-poetry.org||Manages dependencies in Python
    postfix||3.11.4||IPL-1.0,EPL-2.0|http://www.postfix.org||Mail server
    postgres-language-server||0.25.2|=|MIT|pg-language-server.com||Language server for SQL of PostgreSQL
    postgresql||17.10||PostgreSQL|www.postgresql.org||Relational database
    postgresql16Packages.postgis||3.6.4||GPL-2.0-or-later|postgis.net||Geographic objects for PostgreSQL
    postgresqlPackages.pg_cron||1.6.7||PostgreSQL|github.com/citusdata/pg_cron||Runs jobs in PostgreSQL
    postgresqlPackages.pgrouting||4.0.1||GPL-2.0-or-later|pgrouting.org||Routes for PostGIS
    postgresqlPackages.pgvector||0.8.3||PostgreSQL|github.com/pgvector/pgvector||Similarity search for PostgreSQL
    postgresqlPackages.postgis||3.6.4||GPL-2.0-or-later|postgis.net||Geographic objects for PostgreSQL
    postgresqlPackages.timescaledb||2.28.0||TSL|www.timescale.com|u|Time series for PostgreSQL
    postgresql_14|postgresql|14.23||PostgreSQL|www.postgresql.org||Relational database
    postgresql_15|postgresql|15.18||PostgreSQL|www.postgresql.org||Relational database
    postgresql_16|postgresql|16.14||PostgreSQL|www.postgresql.org||Relational database
    postgresql_17|postgresql|17.10||PostgreSQL|www.postgresql.org||Relational database
    postgresql_18|postgresql|18.4||PostgreSQL|www.postgresql.org||Relational database
    procps||4.0.6||GPL-2.0-or-later|gitlab.com/procps-ng/procps||Utilities for processes
    prometheus||3.12.0|=|Apache-2.0|prometheus.io||Monitoring system with a time series database
    prometheus-alertmanager|alertmanager|0.31.1|=|Apache-2.0|github.com/prometheus/alertmanager||Sends alerts of Prometheus
    prometheus-blackbox-exporter|blackbox_exporter|0.28.0|=|Apache-2.0|github.com/prometheus/blackbox_exporter||Exporter that probes endpoints
    prometheus-mysqld-exporter|mysqld_exporter|0.18.0|=|Apache-2.0|github.com/prometheus/mysqld_exporter||Exporter for MySQL
    prometheus-nginx-exporter|nginx_exporter|1.5.1|nginx-prometheus-exporter|Apache-2.0|github.com/nginxinc/nginx-prometheus-exporter||Exporter for Nginx
    prometheus-node-cert-exporter|node-cert-exporter|1.1.7-unstable-2025-03-10|=|Apache-2.0|github.com/amimof/node-cert-exporter||Exporter for certificates on a node
    prometheus-node-exporter|node_exporter|1.11.1|=|Apache-2.0|github.com/prometheus/node_exporter||Exporter for metrics of the machine
    prometheus-pgbouncer-exporter|pgbouncer-exporter|0.12.1|pgbouncer_exporter|MIT|github.com/prometheus-community/pgbouncer_exporter||Exporter for PgBouncer of postgres servers
    prometheus-postgres-exporter|postgres_exporter|0.20.0|=|Apache-2.0|github.com/prometheus-community/postgres_exporter||Exporter for PostgreSQL
    prometheus-process-exporter|process-exporter|0.8.7||MIT|github.com/ncabatoff/process-exporter||Exporter for processes
    prometheus-pushgateway|pushgateway|1.11.3|=|Apache-2.0|github.com/prometheus/pushgateway||Accepts metrics that jobs push
    prometheus-redis-exporter|redis_exporter|1.86.0|=|MIT|github.com/oliver006/redis_exporter||Exporter for Redis
    prometheus-smartctl-exporter|smartctl_exporter|0.14.0|=|LGPL-3.0|github.com/prometheus-community/smartctl_exporter||Exporter for smartctl
    prometheus-snmp-exporter|snmp_exporter|0.30.1||Apache-2.0|github.com/prometheus/snmp_exporter||Exporter for SNMP
    prometheus-systemd-exporter|systemd_exporter|0.7.0|=|Apache-2.0|github.com/prometheus-community/systemd_exporter||Exporter for systemd units
    pulumi||3.192.0|=|Apache-2.0|www.pulumi.com||Infrastructure by programs
    pypy3|pypy3.11|7.3.20|=|MIT|www.pypy.org||Fast implementation of Python
    python3||3.13.13|python3.13|Python-2.0|www.python.org||Programming language
    python311|python3|3.11.15|python3.11|Python-2.0|www.python.org||Programming language
    python312|python3|3.12.13|python3.12|Python-2.0|www.python.org||Programming language
    python312Packages.requests||2.33.1||Apache-2.0|http://docs.python-requests.org||HTTP library for Python
    python313|python3|3.13.13|python3.13|Python-2.0|www.python.org||Programming language
    python313Packages.aiohttp||3.13.5||Apache-2.0|github.com/aio-libs/aiohttp||HTTP client and server for asyncio
    python313Packages.ansible||14.0.0|ansible-community|GPL-3.0-or-later|www.ansible.com||Automates machines over SSH, with collections
    python313Packages.boto3||1.42.31||Apache-2.0|github.com/boto/boto3||AWS library for Python
    python313Packages.celery||5.6.3|=|BSD-3-Clause|github.com/celery/celery||Distributed queue of tasks
    python313Packages.django||5.2.15||BSD-3-Clause|www.djangoproject.com||Web framework for Python
    python313Packages.django-extensions||4.1||MIT|github.com/django-extensions/django-extensions||Extensions for Django
    python313Packages.djangorestframework||3.17.1||BSD-2-Clause|www.django-rest-framework.org||Web APIs for Django
    python313Packages.fastapi||0.136.3||MIT|github.com/fastapi/fastapi||Web framework for APIs
    python313Packages.flask||3.1.2|=|BSD-3-Clause|flask.palletsprojects.com||Small web framework for Python
    python313Packages.flask-sqlalchemy||3.1.1||BSD-3-Clause|http://flask-sqlalchemy.pocoo.org||SQLAlchemy for Flask
    python313Packages.httpx||0.28.1|=|BSD-3-Clause|github.com/encode/httpx||HTTP client for Python
    python313Packages.numpy||2.4.4||BSD-3-Clause|numpy.org||Arrays and numbers for Python
    python313Packages.numpy-stl||3.2.0||BSD-3-Clause|github.com/WoLpH/numpy-stl||Reads STL files with numpy
    python313Packages.numpydoc||1.10.0|validate-docstrings|free|github.com/numpy/numpydoc||Docstrings in the format of numpy
    python313Packages.pandas||2.3.3||BSD-3-Clause|pandas.pydata.org||Data structures for analysis
    python313Packages.pip||25.3|=|MIT|pip.pypa.io||Installs Python packages
    python313Packages.prometheus-client||0.25.0||Apache-2.0|github.com/prometheus/client_python||Metrics of Python programs for Prometheus
    python313Packages.psycopg||3.3.4||LGPL-3.0-or-later|github.com/psycopg/psycopg||PostgreSQL driver for Python, version 3
    python313Packages.psycopg2||2.9.11||LGPL-3.0-or-later,ZPL-2.0|www.psycopg.org||PostgreSQL driver for Python
    python313Packages.python-dateutil||2.9.0.post0||Apache-2.0,BSD-3-Clause|github.com/dateutil/dateutil||Dates and times for Python
    python313Packages.pyyaml||6.0.3||MIT|github.com/yaml/pyyaml||Parser of YAML for Python
    python313Packages.redis||7.4.0||MIT|github.com/redis/redis-py||Client for Redis
    python313Packages.requests||2.33.1||Apache-2.0|http://docs.python-requests.org||HTTP library for Python
    python313Packages.requests-cache||1.3.2||BSD-3-Clause|github.com/reclosedev/requests-cache||Caches responses of requests
    python313Packages.requests-mock||1.12.1||Apache-2.0|requests-mock.readthedocs.io||Fakes responses of requests
    python313Packages.requests-oauthlib||2.0.0||ISC|github.com/requests/requests-oauthlib||OAuth for requests
    python313Packages.requests-toolbelt||1.0.0||Apache-2.0|http://toolbelt.rtfd.org||Classes for use with requests
    python313Packages.ruamel-yaml||0.19.1||MIT|sourceforge.net/projects/ruamel-yaml||Parser of YAML that keeps comments
    python313Packages.scikit-learn||1.8.0||BSD-3-Clause|scikit-learn.org||Machine learning for Python
    python313Packages.scipy||1.17.1||BSD-3-Clause|www.scipy.org||Mathematics for Python
    python313Packages.torch||2.12.0||BSD-3-Clause|pytorch.org||Tensors and neural networks for Python
    python313Packages.types-pyyaml||6.0.12.20250915||Apache-2.0|github.com/python/typeshed||Type stubs of PyYAML
    python313Packages.types-requests||2.32.4.20260107||Apache-2.0|github.com/python/typeshed||Type stubs of requests
    python314|python3|3.14.4|python3.14|Python-2.0|www.python.org||Programming language
    python314Packages.boto3||1.42.31||Apache-2.0|github.com/boto/boto3||AWS library for Python
    python314Packages.django||5.2.15||BSD-3-Clause|www.djangoproject.com||Web framework for Python
    python314Packages.numpy||2.4.4||BSD-3-Clause|numpy.org||Arrays and numbers for Python
    python314Packages.psycopg2||2.9.11||LGPL-3.0-or-later,ZPL-2.0|www.psycopg.org||PostgreSQL driver for Python
    python314Packages.python-dateutil||2.9.0.post0||Apache-2.0,BSD-3-Clause|github.com/dateutil/dateutil||Dates and times for Python
    python314Packages.pyyaml||6.0.3||MIT|github.com/yaml/pyyaml||Parser of YAML for Python
    python314Packages.requests||2.33.1||Apache-2.0|http://docs.python-requests.org||HTTP library for Python
    python314Packages.torch||2.12.0||BSD-3-Clause|pytorch.org||Tensors and neural networks for Python
    qdirstat||2.0|=|GPL-2.0-or-later|github.com/shundhammer/qdirstat||Graphical disk usage analyzer
    qemu||11.0.1|qemu-kvm|GPL-2.0-or-later|www.qemu.org||Emulates machines
    radeontop||1.4|=|GPL-3.0|github.com/clbr/radeontop||Shows the use of Radeon cards
    radicale||3.7.5||GPL-3.0-or-later|radicale.org/v3.html||CalDAV and CardDAV server
    rbw||1.15.0|=|MIT|crates.io/crates/rbw||Unofficial client for Bitwarden
    rclone||1.74.3|=|MIT|rclone.org||Syncs files to and from cloud storage
    rclone-browser||1.8.0|=|Unlicense|github.com/kapitainsky/RcloneBrowser||Window for syncing cloud storage with rclone
    reaction||2.5.1|=|AGPL-3.0-or-later|framagit.org/ppom/reaction||Bans addresses by patterns in logs
    redis||8.8.0|redis-cli|AGPL-3.0-only|redis.io||Key-value store
    redli||0.18.0|=|Apache-2.0|github.com/IBM-Cloud/redli||Client for Redis
    repgrep||0.16.1|rgr|MIT,Apache-2.0,Unlicense|github.com/acheronfail/repgrep||Replaces text that ripgrep found, interactively
    restic||0.19.0|=|BSD-2-Clause|restic.net||Backup program that is fast and secure
    restic-rest-server||0.14.0|rest-server|BSD-2-Clause|github.com/restic/rest-server||REST server for repositories of restic
    resticprofile||0.31.0|=|GPL-3.0-only,LGPL-3.0|creativeprojects.github.io/resticprofile||Profiles for backups with restic
    ripgrep||15.1.0|rg|Unlicense,MIT|github.com/BurntSushi/ripgrep||Searches files for text by regular expressions, fast
    ripgrep-all||0.10.10|rga|AGPL-3.0-or-later|github.com/phiresky/ripgrep-all||Searches also in PDF files, archives and e-books
    rsnapshot||1.5.1|=|GPL-2.0-or-later|rsnapshot.org||Backups by hard links and rsync
    rsync||3.4.4|=|GPL-3.0-or-later|rsync.samba.org||Copies changed parts of files
    ruby||3.4.9|=|Ruby|www.ruby-lang.org||Object-oriented language
    rubyPackages.nokogiri||1.18.10|=||||
    rubyPackages.puma||7.1.0|=||||
    rubyPackages.rails||7.2.3|=||||
    rubyPackages.rake||13.3.1|=||||
    ruby_3_3|ruby|3.3.10|=|Ruby|www.ruby-lang.org||Object-oriented language
    ruby_3_4|ruby|3.4.9|=|Ruby|www.ruby-lang.org||Object-oriented language
    ruby_4_0|ruby|4.0.5|=|Ruby|www.ruby-lang.org||Object-oriented language
    rumqttd||0.20.0|=|Apache-2.0|rumqtt.bytebeam.io||MQTT broker in Rust
    rust-analyzer||2026-06-15|=|MIT,Apache-2.0|rust-analyzer.github.io||Language server for Rust
    rust-analyzer-unwrapped||2026-06-15|rust-analyzer|MIT,Apache-2.0|rust-analyzer.github.io||Language server for Rust, without sources
    rust-bindgen||0.72.1|bindgen|BSD-3-Clause|github.com/rust-lang/rust-bindgen||Generates bindings to C
    rust-script||0.36.0|=|MIT,Apache-2.0|rust-script.org||Runs Rust files as scripts
    rustc||1.95.0|=|MIT,Apache-2.0|www.rust-lang.org||Compiler of Rust
    rustic||0.11.3|=|MIT,Apache-2.0|github.com/rustic-rs/rustic||Encrypted and deduplicated backups, in Rust
    s3cmd||2.4.0|=|GPL-2.0-or-later|s3tools.org/s3cmd||Manages storage of Amazon S3
    sanoid||2.3.0||GPL-3.0-or-later|github.com/jimsalterjrs/sanoid||Manages ZFS snapshots by policy
    screen||5.0.1||GPL-3.0-or-later|www.gnu.org/software/screen||Window manager that shares one terminal
    screenfetch||3.9.9|=|GPL-3.0|github.com/KittyKatt/screenFetch||Shows system information
    scrutiny||0.9.2|=|MIT|github.com/AnalogJ/scrutiny||Monitors SMART values of hard drives
    seahorse||47.0.1|=|GPL-2.0-or-later|gitlab.gnome.org/GNOME/seahorse||Application for encryption keys and passwords
    seaweedfs||4.36|weed|Apache-2.0|github.com/seaweedfs/seaweedfs||Distributed object storage
    secretscanner||1.2.0|=|MIT|github.com/deepfence/SecretScanner||Finds secrets in container images
    sedutil||1.49.13|sedutil-cli|GPL-3.0-or-later|www.drivetrust.com||Tool for self-encrypting drives
    seerr||3.3.0|=|MIT|github.com/seerr-team/seerr||Requests media for Jellyfin and Plex
    sequoia-sq||1.3.1|sq|LGPL-2.0-or-later|sequoia-pgp.org||OpenPGP on the command line
    shell-gpt||1.5.1|sgpt|MIT|github.com/TheR1D/shell_gpt||Asks a language model from a shell
    shellcheck|!||=||||Analyses shell scripts
    shellcheck-minimal|!||shellcheck||||Analyses shell scripts, without the manual
    shellharden||4.3.1|=|MPL-2.0|github.com/anordal/shellharden||Corrects quoting in shell scripts
    shfmt||3.13.1|=|BSD-3-Clause|github.com/mvdan/sh||Formats shell scripts
    siege||4.1.7||GPL-2.0-or-later|www.joedog.org/siege-home||Tester of HTTP load
    skopeo||1.23.0|=|Apache-2.0|github.com/containers/skopeo||Copies and inspects container images
    slack||4.49.89|=|unfree|slack.com|u|Chat for teams
    smartmontools||7.5|smartctl|GPL-2.0-or-later|www.smartmontools.org||Monitors the health of hard drives
    snapper||0.13.1|=|GPL-2.0-only|http://snapper.io||Manages snapshots of file systems
    soft-serve||0.11.6|soft|MIT|github.com/charmbracelet/soft-serve||Self-hosted Git server with a terminal interface
    sommelier||126.0|=|BSD-3-Clause||b|Nested Wayland compositor
    sops||3.13.1|=|MPL-2.0|getsops.io||Edits files with secrets
    spacedrive||0.4.3|=|AGPL-3.0-or-later|www.spacedrive.com|b|Explorer of files on all devices
    sqldiff||3.51.2|=|publicDomain|www.sqlite.org/sqldiff.html||Shows differences between SQLite databases
    sqlite||3.51.2|sqlite3|publicDomain|www.sqlite.org||Database in a file
    sqlitebrowser||3.13.1|=|GPL-3.0|sqlitebrowser.org||Browser for SQLite databases
    ssh-audit||3.3.0|=|MIT|github.com/jtesta/ssh-audit||Audits SSH servers
    sshfs|sshfs-fuse|3.7.6|sshfs|GPL-2.0-or-later|github.com/libfuse/sshfs||Mounts directories over SSH
    sshguard||2.5.1|=|BSD-3-Clause|sshguard.net||Blocks addresses after brute-force attacks
    sshpass||1.10|=|GPL-2.0-or-later|sourceforge.net/projects/sshpass||Types a password for SSH
    sshuttle||1.3.2|=|LGPL-2.1-or-later|github.com/sshuttle/sshuttle||Tunnels traffic over SSH sessions
    statix||0.5.8-unstable-2026-06-28|=|MIT|github.com/molybdenumsoftware/statix||Finds antipatterns in Nix code
    stc-cli|stc|1.5.5|=|Apache-2.0|github.com/tenox7/stc||Command line client of Syncthing
    steam||1.0.0.85|=|unfreeRedistributable|store.steampowered.com|u|Distributes games
    steam-run||1.0.0.85|=|MIT|||Runs unpatched binaries in the environment of Steam
    steam-tui||0.3.0|=|MIT|github.com/dmadisetti/steam-tui||Terminal interface to Steam
    steamcmd||20180104|=|unfreeRedistributable|developer.valvesoftware.com/wiki/SteamCMD|u|Installs games of Steam
    steamguard-cli||0.18.1|steamguard|GPL-3.0-only|github.com/dyc3/steamguard-cli||Codes for login to Steam
    step-cli||0.30.6|step|Apache-2.0|smallstep.com/cli||Tool for certificates and tokens
    stress-ng||0.21.03|=|GPL-2.0-or-later|github.com/ColinIanKing/stress-ng||Stress test for a computer
    stressapptest||1.0.11|=|Apache-2.0|github.com/stressapptest/stressapptest||Stress test of memory, as a program for a computer
    suricata||8.0.3||GPL-2.0|suricata.io||Detects threats in network traffic
    swaybg||1.2.2|=|MIT|github.com/swaywm/swaybg||Wallpapers for Wayland
    syft||1.46.0|=|Apache-2.0|github.com/anchore/syft||Lists the software in container images
    synadm||0.49.2|=|GPL-3.0-or-later|synadm.readthedocs.io||Administers Synapse
    syncthing||2.1.0|=|MPL-2.0|syncthing.net||Synchronises files continuously
    syncthing-discovery||2.1.0|stdiscosrv|MPL-2.0|syncthing.net||Discovery server of Syncthing
    syncthing-macos||2.0.14-1||MIT|github.com/syncthing/syncthing-macos|s|Synchronises files continuously, for macOS
    syncthing-relay||2.1.0|strelaysrv|MPL-2.0|syncthing.net||Relay server of Syncthing
    syncthingtray||2.1.2|=|GPL-2.0-or-later|github.com/Martchus/syncthingtray||Tray icon for Syncthing
    sysbench||1.0.20|=|GPL-2.0|github.com/akopytov/sysbench||Benchmark of processor and database
    tailscale||1.98.8|=|BSD-3-Clause|tailscale.com||Mesh VPN built on WireGuard
    tailscale-gitops-pusher||1.98.8|gitops-pusher|BSD-3-Clause|tailscale.com||Pushes access rules to Tailscale
    tailscale-systray||2022-10-19|=|MIT|github.com/mattn/tailscale-systray||Tray icon for Tailscale
    taskflow||4.1.0||MIT|taskflow.github.io||Parallel tasks in C++
    tcpdump||4.99.6|=|BSD-3-Clause|www.tcpdump.org||Captures network packets
    telegraf||1.39.1|=|MIT|www.influxdata.com/time-series-platform/telegraf||Agent that collects metrics
    temurin-bin-21|temurin-bin|21.0.11|java|GPL-2.0,Classpath-exception-2.0|||Java development kit of Eclipse, prebuilt
    termshark||2.4.0|=|MIT|termshark.io||Terminal interface to Wireshark's engine
    terraform||1.15.7|=|BUSL-1.1|www.terraform.io|u|Builds and changes infrastructure
    terraform-docs||0.22.0|=|MIT|github.com/terraform-docs/terraform-docs||Writes documentation of Terraform modules
    terraform-ls||0.38.7|=|MPL-2.0|github.com/hashicorp/terraform-ls||Language server for Terraform
    terraform-providers.cloudflare_cloudflare|terraform-provider-cloudflare|5.21.1||Apache-2.0|registry.terraform.io/providers/cloudflare/cloudflare||
    terraform-providers.hashicorp_aws|terraform-provider-aws|6.52.0||MPL-2.0|registry.terraform.io/providers/hashicorp/aws||
    terraform-providers.hetznercloud_hcloud|terraform-provider-hcloud|1.66.0||MPL-2.0|registry.terraform.io/providers/hetznercloud/hcloud||
    terraformer||0.8.30|=|Apache-2.0|github.com/GoogleCloudPlatform/terraformer||Generates Terraform files from infrastructure
    terragrunt||1.0.4|=|MIT|terragrunt.gruntwork.io||Wrapper for Terraform
    tflint||0.61.0|=|MPL-2.0|github.com/terraform-linters/tflint||Linter for Terraform
    thanos||0.40.1|=|Apache-2.0|github.com/thanos-io/thanos||Long-term storage for Prometheus
    timeshift||25.12.4||GPL-2.0-or-later|github.com/linuxmint/timeshift||Snapshots of the system, also of btrfs subvolumes
    tinygo||0.41.1||BSD-3-Clause|tinygo.org||Compiler of Go for small devices
    tmate||unstable-2022-08-07|=|MIT|tmate.io||Shares a terminal instantly
    tmux||3.7|=|BSD-3-Clause|tmux.github.io||Terminal multiplexer
    tmuxPlugins.continuum|tmuxplugin-continuum|unstable-2022-01-25||MIT|github.com/tmux-plugins/tmux-continuum||Saves tmux continuously
    tmuxPlugins.resurrect|tmuxplugin-resurrect|unstable-2022-05-01||MIT|github.com/tmux-plugins/tmux-resurrect||Restores tmux after a restart
    tmuxPlugins.sensible|tmuxplugin-sensible|unstable-2022-08-14|||github.com/tmux-plugins/tmux-sensible||
    tmuxPlugins.yank|tmuxplugin-yank|unstable-2023-07-19|||github.com/tmux-plugins/tmux-yank||
    tmuxinator||3.3.7|=|MIT|github.com/tmuxinator/tmuxinator||Manages tmux sessions
    tmuxp||1.71.0|=|MIT|tmuxp.git-pull.com||Loads tmux sessions from files
    traefik||3.7.5|=|MIT|traefik.io||Reverse proxy for containers
    tre||0.9.0|agrep|BSD-2-Clause|laurikari.net/tre||Library for approximate regular expressions, and agrep
    tre-command||0.4.0|tre|MIT|github.com/dduan/tre||Lists directories as a tree, improved
    tree||2.3.2|=|GPL-2.0-or-later|oldmanprogrammer.net/source.php?dir=projects/tree||Lists directories as a tree
    tree-sitter||0.26.8|=|MIT|github.com/tree-sitter/tree-sitter||Generator of incremental parsers
    tree-sitter-grammars.tree-sitter-nix||0.3.0-unstable-2025-12-03||MIT|github.com/nix-community/tree-sitter-nix||Grammar for Nix
    tree-sitter-grammars.tree-sitter-python||0.25.0||MIT|github.com/tree-sitter/tree-sitter-python||Grammar for Python
    tree-sitter-grammars.tree-sitter-rust||0.24.2||MIT|github.com/tree-sitter/tree-sitter-rust||Grammar for Rust
    trivy||0.72.0|=|Apache-2.0|github.com/aquasecurity/trivy||Vulnerability scanner for containers and images
    typesense||29.0|typesense-server|GPL-3.0|typesense.org||Search engine that tolerates typing errors
    uacme||1.8.1||GPL-3.0-or-later|github.com/ndilieto/uacme||Client for ACME in C
    udisks||2.11.1||LGPL-2.0-or-later,GPL-2.0-or-later|www.freedesktop.org/wiki/Software/udisks||Daemon that manages disks
    ugrep||7.8.2|ug|BSD-3-Clause|github.com/Genivia/ugrep||Searches files, with an interactive interface
    unar||1.10.8|=|LGPL-2.1-or-later|theunarchiver.com||Unpacks archives
    unbound||1.25.1|=|BSD-3-Clause|www.unbound.net||Validating, recursive and caching DNS resolver
    ungoogled-chromium||149.0.7827.200|chromium|BSD-3-Clause|github.com/ungoogled-software/ungoogled-chromium||Web browser without services of Google
    unison||2.54.0|unison-gui|GPL-3.0-or-later|www.cis.upenn.edu/~bcpierce/unison||Synchronises files in both directions
    unixodbc||2.3.14||LGPL-2.0|www.unixodbc.org||Manager of ODBC drivers
    unpoller||3.3.1||MIT|github.com/unpoller/unpoller||Collects metrics of UniFi
    unrar||7.2.6|=|unfreeRedistributable|www.rarlab.com|u|Extracts RAR archives
    unzip||6.0|=|Info-ZIP|http://www.info-zip.org||Extracts ZIP archives
    uptime-kuma||2.4.0|uptime-kuma-server|MIT|github.com/louislam/uptime-kuma||Self-hosted monitor of websites and their uptime
    usbutils||019|lsusb|GPL-2.0-only,GPL-2.0-or-later|http://www.linux-usb.org||Tools for USB devices
    util-linux||2.42||GPL-2.0-only,GPL-2.0-or-later,GPL-3.0-or-later,LGPL-2.1-or-later,BSD-3-Clause,BSD-4-Clause-UC,publicDomain|www.kernel.org/pub/linux/utils/util-linux||System utilities for Linux
    uv||0.11.25|=|Apache-2.0,MIT|github.com/astral-sh/uv||Installs Python packages fast
    valkey||9.1.0|valkey-cli|BSD-3-Clause|valkey.io||Key-value store, fork of Redis
    vals||0.44.3|=|Apache-2.0|github.com/helmfile/vals||Fills secrets into Kubernetes files
    vault||2.0.3|=|BUSL-1.1|developer.hashicorp.com/vault|u|Manages secrets
    vaultwarden||1.36.0|=|AGPL-3.0-only|github.com/dani-garcia/vaultwarden||Bitwarden compatible server in Rust
    vaultwarden-mysql|vaultwarden|1.36.0|=|AGPL-3.0-only|github.com/dani-garcia/vaultwarden||Bitwarden compatible server in Rust, for MySQL
    vaultwarden-postgresql|vaultwarden|1.36.0|=|AGPL-3.0-only|github.com/dani-garcia/vaultwarden||Bitwarden compatible server in Rust, for PostgreSQL
    vaultwarden-sqlite|vaultwarden|1.36.0|=|AGPL-3.0-only|github.com/dani-garcia/vaultwarden||Bitwarden compatible server in Rust, for SQLite
    vdirsyncer||0.20.0|=|BSD-3-Clause|github.com/pimutils/vdirsyncer||Synchronises calendars by CalDAV
    vector||0.56.0|=|MPL-2.0|github.com/vectordotdev/vector||Pipeline for logs and metrics
    vegeta||12.13.0|=|MIT|github.com/tsenart/vegeta||Tool for HTTP load testing
    victoriametrics|VictoriaMetrics|1.146.0|victoria-metrics|Apache-2.0|victoriametrics.com||Time series database
    vim||9.2.0389|=|Vim|www.vim.org||Text editor
    vimPlugins.fugitive-gitlab-vim|fugitive-gitlab.vim|0-unstable-2024-11-13||MIT|github.com/shumphrey/fugitive-gitlab.vim||
    vimPlugins.gitsigns-nvim|gitsigns.nvim|2.1.0-1-unstable-2.1.0-1||MIT|github.com/lewis6991/gitsigns.nvim||Signs of Git in buffers
    vimPlugins.nvim-lspconfig||2.10.0||Apache-2.0|github.com/neovim/nvim-lspconfig||
    vimPlugins.telescope-nvim|telescope.nvim|scm-1-unstable-scm-1||MIT|github.com/nvim-telescope/telescope.nvim||Finds and previews files, in Lua
    vimPlugins.vim-fugitive||3.7-unstable-2026-03-07||Vim|github.com/tpope/vim-fugitive||
    vimPlugins.vim-rhubarb||0-unstable-2025-06-27||MIT|github.com/tpope/vim-rhubarb||
    vllm||0.16.0||Apache-2.0|github.com/vllm-project/vllm|i|Serves language models
    vorta||0.11.0|=|GPL-3.0-only|vorta.borgbase.com||Desktop client for backups with Borg
    vscode||1.125.0|code|unfree|code.visualstudio.com|u|Code editor of Microsoft
    vscode-extensions.jnoortheen.nix-ide|vscode-extension-jnoortheen-nix-ide|0.5.9||MIT|github.com/nix-community/vscode-nix-ide||Nix for Visual Studio Code
    vscode-extensions.ms-python.python|vscode-extension-ms-python-python|2026.4.0||MIT|github.com/Microsoft/vscode-python||Python for Visual Studio Code
    vscode-extensions.rust-lang.rust-analyzer|vscode-extension-rust-analyzer|0.3.2803||MIT,Apache-2.0|github.com/rust-lang/rust-analyzer||Rust for Visual Studio Code
    vscodium||1.121.03429|codium|MIT|github.com/VSCodium/vscodium||Code editor, without telemetry
    vtm||0.9.99.61|=|MIT|vtm.netxs.online||Terminal multiplexer with its own desktop
    vulnix||1.12.4|=|BSD-3-Clause|github.com/nix-community/vulnix||Vulnerability scanner for NixOS
    wg-netmanager||0.5.1|wg_netmanager|MIT,Apache-2.0,BSD-3-Clause,MPL-2.0|github.com/gin66/wg_netmanager||Network manager for WireGuard
    wgcf||2.2.31|=|MIT|github.com/ViRb3/wgcf||Client for Cloudflare Warp
    wget||1.25.0|=|GPL-3.0-or-later|www.gnu.org/software/wget||Downloads files by HTTP and FTP
    wget2||2.2.1|=|GPL-3.0-or-later,LGPL-3.0-or-later|gitlab.com/gnuwget/wget2||Successor of wget
    wgnord||0.2.1|=|MIT|github.com/phirecc/wgnord||Connects to NordVPN by WireGuard
    wireguard-go||0.0.20250522|=|MIT|git.zx2c4.com/wireguard-go/about||WireGuard in user space, in Go
    wireguard-tools||1.0.20260223|wg|GPL-2.0-only|www.wireguard.com||Tools for WireGuard tunnels
    wireguard-ui||0.6.2|=|MIT|github.com/ngoduykhanh/wireguard-ui||Web interface to WireGuard
    wireguard-vanity-keygen||1.0.1|=|MIT|github.com/axllent/wireguard-vanity-keygen||Generates WireGuard keys with a chosen prefix
    wireshark|wireshark-qt|4.6.6|wireshark|GPL-2.0-or-later|www.wireshark.org||Analyses network protocols
    wrk||4.2.0|=|Apache-2.0|github.com/wg/wrk||Benchmarks HTTP servers
    xandikos||0.4.2|=|GPL-3.0-or-later|github.com/jelmer/xandikos||Light CalDAV and CardDAV server
    xcaddy||0.4.6|=|Apache-2.0|github.com/caddyserver/xcaddy||Builds Caddy with plugins
    xdelta||3.1.0|xdelta3|GPL-2.0-or-later|github.com/jmacd/xdelta||Differences between binary files
    xh||0.26.1|=|MIT|github.com/ducaale/xh||Friendly tool for sending HTTP requests
    xorg-server||21.1.23|X|MIT,X11,HPND-sell-variant,MIT-open-group,HPND,DEC-3-Clause,X11-no-permit-persons,SGI-B-2.0,BSD-3-Clause,Adobe-Display-PostScript,NTP,HPND-UC,ISC,ICU,HPND-sell-MIT-disclaimer-xserver|x.org/wiki||X server
    xsensors||0.80||GPL-2.0-or-later|github.com/Mystro256/xsensors||Shows hardware sensors in a window
    xxhash||0.8.3|xxhsum|BSD-2-Clause,GPL-2.0-or-later|github.com/Cyan4973/xxHash||Fast hash algorithm
    yq-go||4.53.3|yq|MIT|mikefarah.gitbook.io/yq||Processor for YAML files
    yubikey-agent||0.1.6|=|BSD-3-Clause|filippo.io/yubikey-agent||SSH agent for YubiKeys
    yubikey-manager||5.9.1|ykman|BSD-2-Clause|developers.yubico.com/yubikey-manager||Configures a YubiKey
    yubikey-personalization||1.20.0||BSD-2-Clause|developers.yubico.com/yubikey-personalization||Library and tool to personalise YubiKeys
    yubikey-touch-detector||1.13.0|=|ISC|github.com/maximbaz/yubikey-touch-detector||Detects when a YubiKey waits for a touch
    yubioath-flutter||7.3.3|=|Apache-2.0|github.com/Yubico/yubioath-flutter||Authenticator for YubiKeys on the desktop
    zellij||0.44.3|=|MIT|zellij.dev||Terminal workspace with panes and tabs
    zenith||0.15.0|=|MIT|github.com/bvaisvil/zenith||Monitor with charts that can be zoomed
    zerotierone||1.16.0||MPL-2.0|www.zerotier.com||Virtual Ethernet networks
    zfs||2.4.3|=|CDDL-1.0|github.com/openzfs/zfs||Tools for the ZFS file system
    zfs-autobackup||3.3||GPL-3.0-only|github.com/psy0rz/zfs_autobackup||Backup and replication of ZFS
    zfs-replicate|zfs_replicate|4.1.0|zfs-replicate|BSD-2-Clause|github.com/alunduil/zfs-replicate||Replicates ZFS snapshots
    zfs_2_3|zfs|2.3.8|=|CDDL-1.0|github.com/openzfs/zfs||Tools for the ZFS file system
    zfs_2_4|zfs|2.4.3|=|CDDL-1.0|github.com/openzfs/zfs||Tools for the ZFS file system
    zfs_unstable|zfs|2.4.3|=|CDDL-1.0|github.com/openzfs/zfs||Tools for the ZFS file system, unreleased
    zigbee2mqtt||2.12.1|=|GPL-3.0|github.com/Koenkk/zigbee2mqtt||Bridge from Zigbee to MQTT
    zip||3.0|=|BSD-4-Clause|http://www.info-zip.org||Creates ZIP archives
    zpaq||7.15|=|GPL-3.0-or-later|http://mattmahoney.net/dc/zpaq.html||Archiver with versions
    zpaqfranz||64.4|=|MIT|github.com/fcorbelli/zpaqfranz||Deduplicating archiver with versions
    zram-generator||1.2.1||MIT|github.com/systemd/zram-generator||Creates zram devices by systemd
    zulu21|zulu-ca-jdk|21.0.11|java|GPL-2.0-only|www.azul.com/products/zulu||Java development kit of Azul
  '';

  # Each alias with its target.
  aliases = ''
    claude-code-bin claude-code
    curlHTTP3 curl
    elixir beamPackages.elixir
    elixir_1_18 beamPackages.elixir_1_18
    elixir_1_19 beamPackages.elixir_1_19
    erlang beamPackages.erlang
    jellyfin-media-player jellyfin-desktop
    jellyseerr seerr
    joplin joplin-cli
    libX11 libx11
    linuxPackages_6_12 linuxKernel.packages.linux_6_12
    linux_6_12 linuxKernel.kernels.linux_6_12
    nettools net-tools
    nixos-rebuild nixos-rebuild-ng
    postgres-lsp postgres-language-server
    swww awww
    tbb onetbb
    terraform-providers.cloudflare terraform-providers.cloudflare_cloudflare
    terraform-providers.hcloud terraform-providers.hetznercloud_hcloud
    udisks2 udisks
    unixODBC unixodbc
    utillinux util-linux
    wireshark-qt wireshark
    xxHash xxhash
    zigbee2mqtt_2 zigbee2mqtt
  '';

  removed = {
    agrep = "'agrep' was removed, because its authors stopped. Consider 'tre' or 'ugrep'.";
    antibody = "antibody was removed, because its repository is archived. Consider antidote.";
    barrier = "'barrier' was removed, because nobody maintains it. Consider 'deskflow' or 'input-leap'.";
    bitwarden = "'bitwarden' was renamed to or replaced by 'bitwarden-desktop'";
    bitwarden_rs = "'bitwarden_rs' was renamed to or replaced by 'vaultwarden'";
    docker_27 = "'docker_27' was removed, because nobody maintains it. Use docker_28 or newer.";
    docker_28 = "'docker_28' was removed, because nobody maintains it. Use docker_29 or newer.";
    gcc12 = "gcc12 was removed, because nobody maintains it";
    go_1_23 = "Go 1.23 is at its end of life; 'go_1_23' was removed. Use a newer toolchain.";
    k3s_1_32 = "'k3s_1_32' was removed at its end of life";
    "linuxPackages.zfs" = "linuxPackages.zfs was removed, use zfs_* instead";
    lxd = "\n    LXD was removed from NixOS.\n    Migrate to Incus, or delete it from the configuration.\n  ";
    mbedtls_2 = "'mbedtls_2' was removed at its end of life. Migrate to 'mbedtls'.";
    mysql-client = "mysql-client was replaced by mariadb.client.";
    mysql80 = "'mysql80' reached its end of life on 2026-04-30 and was removed.";
    neofetch = "'neofetch' was removed, because its author gave it up. Use 'neowofetch' from the package 'hyfetch', or 'fastfetch'.";
    nextcloud31 = "\n    Nextcloud 31 was removed, because its authors no longer support it.\n    Upgrade to Nextcloud 32 at least.\n  ";
    "nixVersions.nix_2_30" = "nix_2_30 was removed. use nix_2_31.";
    nodePackages = "nodePackages was removed. Many of its packages are now top-level attributes (`pkgs.package-name`).";
    nodejs_25 = "Node.js 25 was removed before its end of life on 2026-06-01";
    pgadmin = "'pgadmin' was renamed to or replaced by 'pgadmin4'";
    postgresql_13 = "postgresql_13 was removed, because its authors no longer support it";
    promtail = "promtail was removed after its end of life. Migrate to 'grafana-alloy' or 'fluent-bit'.";
    python = "`python` was Python 2 once; use `python3`.";
    python2 = "python2 was removed, because Python 2 is at its end of life. Use `python3`.";
    python27 = "python27 was removed, because Python 2 is at its end of life. Use `python3`.";
    "python313Packages.dateutil" = "'dateutil' was renamed to or replaced by 'python-dateutil'";
    "python313Packages.pytorch" = "'pytorch' was renamed to or replaced by 'torch'";
    "python314Packages.dateutil" = "'dateutil' was renamed to or replaced by 'python-dateutil'";
    "python314Packages.pytorch" = "'pytorch' was renamed to or replaced by 'torch'";
    rustic-rs = "'rustic-rs' was renamed to or replaced by 'rustic'";
    thefuck = "'thefuck' was removed: it does not run with Python 3.12 or newer. Consider 'pay-respects'.";
    trust-dns = "'trust-dns' was renamed to or replaced by 'hickory-dns'";
    unifi-poller = "'unifi-poller' was renamed to or replaced by 'unpoller'";
  };

  # What the names of packages begin with in these sets, while `pname` does not have it.
  prefixes = {
    python312Packages = "python3.12-";
    python313Packages = "python3.13-";
    python314Packages = "python3.14-";
    perlPackages = "perl5.42.0-";
    luaPackages = "lua5.2-";
    lua54Packages = "lua5.4-";
    luajitPackages = "luajit2.1-";
    ocamlPackages = "ocaml5.4.1-";
    rubyPackages = "ruby3.4-";
    emacsPackages = "emacs-";
    vimPlugins = "vimplugin-";
    fishPlugins = "fishplugin-";
    phpExtensions = "php-";
    php83Extensions = "php-";
  };

  strings = pattern: text: filter isString (split pattern text);
  lines = text: filter (line: line != "") (strings "\n" text);
  has = flag: flags: match ".*${flag}.*" flags != null;

  licence = free: id: {
    inherit free;
    spdxId = id;
    shortName = id;
    fullName = id;
    redistributable = free;
    deprecated = false;
  };

  package =
    line:
    let
      fields = strings "[|]" line;
      path = strings "[.]" (elemAt fields 0);
      last = elemAt path (length path - 1);
      own = elemAt fields 1;
      nameOnly = substring 0 1 own == "!";
      base = if nameOnly then substring 1 (-1) own else own;
      pname = if base == "" then last else base;
      version = elemAt fields 2;
      main = elemAt fields 3;
      licences = map (licence (!has "u" flags)) (filter (id: id != "") (strings "," (elemAt fields 4)));
      homepage = elemAt fields 5;
      flags = elemAt fields 6;
      description = elemAt fields 7;
    in
    {
      inherit path;
      value = {
        type = "derivation";
        name = (prefixes.${head path} or "") + pname + (if version == "" then "" else "-${version}");
        ${if nameOnly then null else "pname"} = pname;
        ${if version == "" || nameOnly then null else "version"} = version;
        inherit system;
        outputName = "out";
        outputs = [ "out" ];
        drvPath = throw "a search must not need the derivation of ${last}";
        outPath = throw "a search must not need the output of ${last}";
        meta = {
          ${if description == "" then null else "description"} = description;
          ${if main == "" then null else "mainProgram"} = if main == "=" then pname else main;
          ${if licences == [ ] then null else "license"} =
            if length licences == 1 then head licences else licences;
          ${if homepage == "" then null else "homepage"} = "https://${homepage}";
          unfree = has "u" flags;
          broken = has "b" flags;
          insecure = has "i" flags;
          unsupported = has "s" flags;
          available = flags == "";
          outputsToInstall = [ "out" ];
        };
      };
    };

  at = path: foldl' (value: name: value.${name}) everything path;

  alias =
    line:
    let
      fields = strings " " line;
      value = at (strings "[.]" (elemAt fields 1));
    in
    {
      path = strings "[.]" (elemAt fields 0);
      # As in nixpkgs, an alias of a set is not searched.
      value =
        if value.type or "" == "derivation" then value else removeAttrs value [ "recurseForDerivations" ];
    };

  removal = name: {
    path = strings "[.]" name;
    value = throw removed.${name};
  };

  # Sets that nixpkgs does not mark for recursion.
  unsearched = [
    "beamPackages"
    "python312Packages"
  ]
  ++ (if recursionMode == "search" then [ ] else [ "emacsPackages" ]);

  build =
    path: entries:
    let
      own = filter (entry: entry.path == [ ]) entries;
      below = groupBy (entry: head entry.path) (filter (entry: entry.path != [ ]) entries);
      children = mapAttrs (
        name: members: build (path ++ [ name ]) (map (entry: entry // { path = tail entry.path; }) members)
      ) below;
    in
    if own == [ ] then
      if path == [ ] then
        children
      else
        children // { recurseForDerivations = !elem (head path) unsearched; }
    else if below == { } then
      (head own).value
    else
      (head own).value // children;

  tree = build [ ] (
    map package (lines table)
    ++ (if allowAliases then map alias (lines aliases) ++ map removal (attrNames removed) else [ ])
  );

  # Names that nixpkgs gives to the same sets.
  twins = {
    python3Packages = tree.python313Packages // {
      recurseForDerivations = false;
    };
    beam28Packages = tree.beamPackages // {
      recurseForDerivations = true;
    };
    perl5Packages = tree.perlPackages;
    lua52Packages = tree.luaPackages;
    rubyPackages_3_4 = tree.rubyPackages;
    php84Extensions = tree.phpExtensions;
    postgresql17Packages = tree.postgresqlPackages;
  };

  # What else is in nixpkgs: functions, sets that contain everything again, and attributes that fail.
  others = {
    AAAAAASomeThingsFailToEvaluate = throw "not every attribute evaluates";
    pkgs = everything;
    buildPackages = everything;
    pkgsStatic = everything // {
      recurseForDerivations = false;
    };
    config = { inherit allowAliases recursionMode; };
    lib = {
      version = "26.11";
      isFunction = _: false;
    };
    path = "/nixpkgs";
    callPackage = _: _: { };
    fetchurl = { url, ... }: url;
    writeShellScriptBin = _: _: { };
    dockerTools = {
      recurseForDerivations = false;
      buildImage = _: { };
    };
    tests = {
      recurseForDerivations = recursionMode == "eval";
      nginx = plain "nginx-test";
      restic = plain "restic-test";
    };
    meta-that-throws = plain "meta-that-throws" // {
      meta = throw "this package has no metadata";
    };
    description-that-throws = plain "description-that-throws" // {
      meta.description = throw "this package has no description";
    };
    pname-that-throws = plain "pname-that-throws" // {
      pname = throw "this package has no name";
    };
    name-that-throws = plain "name-that-throws" // {
      name = throw "this package has no name and version";
    };
    set-that-throws = throw "this set does not evaluate";
    set-with-a-failure = {
      recurseForDerivations = true;
      works = plain "set-with-a-failure-works";
      fails = throw "this member does not evaluate";
    };
    description-of-the-wrong-type = plain "description-of-the-wrong-type" // {
      meta.description = [ "a list" ];
    };
  }
  // (
    if allowAliases then
      {
        xorg = {
          inherit (tree) libX11;
          libXext = tree.libxext;
          libXi = tree.libxi;
        };
      }
    else
      { }
  );

  plain = name: (package "${name}||1.0||MIT|||").value;

  mod = number: by: number - number / by * by;
  pick = list: number: elemAt list (mod number (length list));

  filler =
    number:
    let
      first = pick firsts number;
      second = pick seconds (number / length firsts);
      kind = pick kinds (number / (length firsts * length seconds));
      name = "${first}${second}-${kind.name}";
      flag =
        if mod number 83 == 0 then
          "u"
        else if mod number 89 == 0 then
          "b"
        else
          "";
      value =
        (package "${name}||${toString (mod number 9)}.${toString (mod number 31)}|=|MIT|${name}.example.org|${flag}|${kind.text} ${pick topics number}")
        .value;
    in
    {
      inherit name;
      value =
        if mod number 97 == 0 then
          value // { meta = throw "${name} has no metadata"; }
        else if mod number 101 == 0 then
          value // { pname = throw "${name} has no name"; }
        else
          value;
    };

  firsts = [
    "amber"
    "birch"
    "cedar"
    "dusk"
    "ember"
    "fern"
    "grove"
    "heron"
    "iris"
    "juniper"
    "kestrel"
    "lark"
    "maple"
    "nettle"
    "otter"
    "plover"
    "quince"
    "raven"
    "sorrel"
    "thistle"
  ];
  seconds = [
    "arc"
    "bay"
    "crest"
    "dale"
    "edge"
    "fold"
    "gate"
    "hill"
    "isle"
    "keep"
    "lane"
    "mere"
    "nook"
    "path"
    "ridge"
    "stone"
    "tarn"
    "vale"
    "ward"
    "yard"
  ];
  kinds = [
    {
      name = "cli";
      text = "Command line tool for";
    }
    {
      name = "server";
      text = "Server for";
    }
    {
      name = "client";
      text = "Client for";
    }
    {
      name = "gtk";
      text = "Desktop application for";
    }
    {
      name = "exporter";
      text = "Prometheus exporter for";
    }
    {
      name = "plugin";
      text = "Plugin of an editor for";
    }
    {
      name = "lib";
      text = "Library in C for";
    }
    {
      name = "tools";
      text = "Tools for";
    }
    {
      name = "daemon";
      text = "Daemon that watches";
    }
    {
      name = "ui";
      text = "Web interface to";
    }
    {
      name = "fs";
      text = "File system over";
    }
    {
      name = "backup";
      text = "Backup and restore of";
    }
    {
      name = "monitor";
      text = "Monitor of";
    }
    {
      name = "proxy";
      text = "Proxy for";
    }
    {
      name = "theme";
      text = "Icons and colours for";
    }
  ];
  topics = [
    "calendars"
    "bookmarks"
    "recipes"
    "time series"
    "weather data"
    "photo albums"
    "music collections"
    "chat rooms"
    "game saves"
    "street maps"
    "sensor readings"
    "text files"
    "invoices"
    "print jobs"
    "mailing lists"
    "video calls"
    "network shares"
  ];

  all = genList filler fillers;
  # Every third filler is in a set, because most packages of nixpkgs are.
  places = groupBy (entry: entry.place) (
    genList (number: {
      place =
        if mod number 3 == 0 then
          pick [
            "haskellPackages"
            "rPackages"
            "texlivePackages"
          ] (number / 3)
        else
          "top";
      entry = elemAt all number;
    }) fillers
  );
  members = place: listToAttrs (map (member: member.entry) (places.${place} or [ ]));
  weight =
    members "top"
    // mapAttrs (place: _: members place // { recurseForDerivations = true; }) (
      removeAttrs places [ "top" ]
    );

  everything = weight // tree // twins // others;
in
everything
