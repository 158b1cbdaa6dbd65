//! Deployments by a user who is not root: the closure goes through the Nix daemon, everything else through `sudo`.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::fleet::{nixes, told};
use crate::common::site::Site;
use crate::common::target::Target;
use crate::common::wait::wait_until;
use serde_json::json;

/// Gives the machine a user `deploy`, who may become root without a password, and a Nix daemon that trusts the users in
/// `trusted`.
fn give_a_user(site: &mut Site, trusted: &str) {
    let nix = site.targets.nix().to_owned();
    let web = site.machine("web");
    let_in(web, nix.parent().unwrap());
    // On NixOS, Nix is in the search path of `sudo`, too.
    let found =
        format!("Defaults secure_path=\"{}:/usr/sbin:/usr/bin:/sbin:/bin\"", nix.parent().unwrap().display());
    web.says(&[
        "sh",
        "-c",
        &format!("echo 'deploy:x:1789:1789::/var/lib/deploy:/bin/sh' >>/etc/passwd && echo 'deploy:x:1789:' >>/etc/group && \
         echo 'deploy:*:20000:0:99999:7:::' >>/etc/shadow && install -d -o 1789 -g 1789 /var/lib/deploy && \
         install -d -m 755 /etc/sudoers.d && printf '%s\\n' 'deploy ALL=(ALL) NOPASSWD: ALL' '{found}' >/etc/sudoers.d/deploy && \
         chmod 440 /etc/sudoers.d/deploy && echo '127.0.0.1 web' >>/etc/hosts"),
    ]);
    // The daemon's settings and the machine's keys are in folders that only root could enter.
    let root = web.authorized_keys().parent().unwrap().to_owned();
    for folder in [root.parent().unwrap(), &root] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut settings = std::fs::OpenOptions::new().append(true).open(root.join("nix-conf/nix.conf")).unwrap();
    writeln!(settings, "trusted-users = {trusted}").unwrap();
    web.says(&["sh", "-c", "setsid nix daemon </dev/null >/run/nix-daemon.log 2>&1 & sleep 0.1"]);
    let socket = web.path("/nix/var/nix/daemon-socket/socket");
    wait_until("the Nix daemon listens", || socket.exists());
}

/// Lets every user of a machine enter a folder of the test machine, whose own permissions stay as they are.
fn let_in(machine: &Target, folder: &Path) {
    let closed = |folder: &&Path| std::fs::metadata(folder).unwrap().permissions().mode() & 0o5 != 0o5;
    let mut closed: Vec<&Path> = folder.ancestors().filter(closed).collect();
    let Some(top) = closed.pop() else { return };
    let top = top.display();
    machine.says(&[
        "sh",
        "-c",
        &format!(
            "mkdir -p /run/over/upper /run/over/work && chmod 755 /run/over/upper && \
             mount -t overlay overlay -o lowerdir={top},upperdir=/run/over/upper,workdir=/run/over/work {top}"
        ),
    ]);
    for folder in closed.iter().rev() {
        machine.says(&["chmod", "o+rx", &folder.display().to_string()]);
    }
}

fn as_deploy(site: &mut Site) {
    site.change(|facts| facts["hosts"]["web"]["user"] = "deploy".into());
}

/// The daemon does not belong to the deployment, but would be taken for a process that it left behind.
fn end_the_daemon(site: &mut Site) {
    site.machine("web").says(&["sh", "-c", "pkill -f '[n]ix daemon'; sleep 0.2; true"]);
}

#[test]
fn a_user_with_sudo_deploys() {
    for nix in nixes() {
        let mut site = Site::start(
            &nix,
            &["web"],
            &json!({"healthChecks": [{"command": ["sh", "-c", "[ $(id -un) = deploy ]"]}]}),
        );
        give_a_user(&mut site, "root deploy");
        as_deploy(&mut site);
        let (first, second) = (site.first("web"), site.toplevel("web"));
        let plan = site.approved(&json!({"hosts": ["web"]}));
        let answer = site.deploy(&plan);
        assert_eq!(
            (answer.code, &answer.json["hosts"][0]["state"]),
            (0, &json!("confirmed")),
            "{:#}",
            answer.json
        );
        let plan = site.fleet.call("rollback_host", &json!({"host": "web"})).json["error"]["attr"].clone();
        let plan = plan.as_str().unwrap();
        assert!(site.approve(plan).status.success());
        assert_eq!(site.deploy(plan).code, 0);
        site.hook("web", "2-test", "exit 1");
        let plan = site.approved(&json!({"hosts": ["web"]}));
        assert_eq!(site.deploy(&plan).json["hosts"][0]["state"], "rolled_back");
        end_the_daemon(&mut site);
        site.settled("web", &first, &first);
        assert_ne!(first, second);
    }
}

#[test]
fn a_host_that_does_not_trust_the_user_says_what_is_missing() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    give_a_user(&mut site, "root");
    as_deploy(&mut site);
    let first = site.first("web");
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, answer.error_code()), (1, "untrusted_path"), "{:#}", answer.json);
    let hint = answer.json["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("`deploy`") && hint.contains("trusted-users"), "{hint}");
    // Without sudo nothing begins.
    site.machine("web").says(&["rm", "/etc/sudoers.d/deploy"]);
    let second = site.toplevel("web");
    let nix = nixes().pop().unwrap();
    site.machine("web").copy(&nix, &second);
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let answer = site.deploy(&plan);
    assert_eq!((answer.code, &answer.json["hosts"][0]["state"]), (1, &json!("refused")), "{:#}", answer.json);
    let message = told(&answer.json["error"]);
    assert!(message.contains("sudo"), "{message}");
    // The latest deployment is then unknown, which differs from none.
    let status = site.fleet.call("host_status", &json!({"host": "web"}));
    let error = &status.json["latest_error"];
    assert_eq!((status.code, &error["code"]), (0, &json!("access_denied")), "{:#}", status.json);
    assert!(error["hint"].as_str().unwrap().contains("sudo"), "{error:#}");
    end_the_daemon(&mut site);
    site.settled("web", &first, &first);
}
