//! Taking a node out of service for a while, and putting it back.

use crate::Error;
use crate::api::Api;
use crate::drain::DrainOptions;
use crate::node::{self, DRAINED};
use crate::rest::Patch;
use crate::wait::{Clock, Listener, Look, Wait};
use serde_json::{Value, json};

impl Api {
    /// Cordons a node and drains it; whether it was not drained before. Where it can't be emptied it is put
    /// back, unless somebody else had cordoned it. A node that is not in the cluster is as good as drained.
    pub(crate) async fn take_out(
        &self,
        name: &str,
        options: &DrainOptions,
        on: Listener<'_>,
    ) -> Result<bool, Error> {
        let path = node::path(name);
        let Some(found) = self.rest().get(&path).await? else {
            return Ok(false);
        };
        let cordoned = found.pointer("/spec/unschedulable") == Some(&Value::Bool(true));
        let ours = !cordoned || node::drained(&found);
        if ours && !cordoned {
            let patch = json!({
                "metadata": { "annotations": { DRAINED: "true" } },
                "spec": { "unschedulable": true },
            });
            self.rest().patch(&path, Patch::Merge, &patch).await?;
        }
        match self.drain(name, options, on).await {
            Ok(_) => Ok(true),
            Err(error) => {
                if ours {
                    self.uncordon_ours(name).await?;
                }
                Err(error)
            }
        }
    }

    /// Waits until a node is ready, its kubelet of this release, and lets pods onto it if Bramble kept them
    /// off; whether it did.
    pub(crate) async fn put_back(
        &self,
        name: &str,
        kubelet: Option<&str>,
        clock: Clock,
        on: Listener<'_>,
    ) -> Result<bool, Error> {
        let path = node::path(name);
        let rest = self.rest();
        let mut wait = Wait::new(clock, on);
        let ready = loop {
            let look = async {
                let Some(found) = rest.get(&path).await? else {
                    return Ok(Look::Not(format!("node {name} to be in the cluster")));
                };
                let reported = found
                    .pointer("/status/nodeInfo/kubeletVersion")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Ok(match (node::readiness(&found), kubelet) {
                    (Err(why), _) => Look::Not(format!("node {name} to be ready: {why}")),
                    (Ok(()), Some(wanted)) if wanted != reported => Look::Not(format!(
                        "the kubelet of {name} to report {wanted}; so far it reports {reported}"
                    )),
                    (Ok(()), _) => Look::Done(()),
                })
            };
            if let Some(end) = wait.judge(look.await).await.transpose() {
                break end;
            }
        };
        ready?;
        self.uncordon_ours(name).await
    }

    /// Lets pods onto a node again that Bramble has cordoned; whether it had.
    ///
    /// # Errors
    /// The API doesn't answer, or refuses.
    pub async fn uncordon_ours(&self, name: &str) -> Result<bool, Error> {
        let path = node::path(name);
        let found = self.rest().get(&path).await?;
        if !found.as_ref().is_some_and(node::drained) {
            return Ok(false);
        }
        let patch = json!({
            "metadata": { "annotations": { DRAINED: null } },
            "spec": { "unschedulable": null },
        });
        self.rest().patch(&path, Patch::Merge, &patch).await?;
        Ok(true)
    }
}
