//! Supervisors that are taken away.

use super::left_waiting;
use crate::common::fleet::nixes;
use crate::common::wait::wait_until;

#[test]
#[ignore = "tools/test-machines runs it"]
fn a_deployment_whose_supervisor_is_gone_still_goes_back() {
    for nix in nixes() {
        let (host, plan) = left_waiting(&nix);
        let (unit, timer) =
            (format!("pantheros-deploy-{plan}.service"), format!("pantheros-deploy-{plan}-timer.timer"));
        // It runs again and again.
        wait_until("the timer runs", || {
            let last =
                host.machine.says(&["systemctl", "show", "--property=LastTriggerUSec", "--value", &timer]);
            !["", "n/a"].contains(&last.as_str())
        });
        // It runs when everything is killed, too: it waits for the mutex.
        let run = "exec 9>/run/pantheros/mutex && flock 9 && (sleep 1000 </dev/null >/dev/null 2>&1 &) && systemctl start --no-block \"$1\"";
        host.machine.says(&["sh", "-c", run, "run", &timer.replace(".timer", ".service")]);
        wait_until("the timer's process", || {
            host.machine.look(&["pgrep", "-f", "[s]upervisor rescue"]).status.success()
        });
        // systemd does not start a unit again that somebody stopped. All processes are stopped before they are killed, so
        // that none sees another one die.
        let end = format!(
            "systemctl stop {unit}; pkill -STOP -f '[d]eployments/plan-'; pkill -KILL -f '[d]eployments/plan-'; pkill -f '[s]leep 1000'"
        );
        host.machine.look(&["sh", "-c", &end]);
        assert!(!host.is_active(&unit));
        host.wait_for_state(&plan, "rolled_back");
        host.settled(&host.first, &host.first);
    }
}
