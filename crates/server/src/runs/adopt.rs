//! Runs among several daemons: the one that leads makes those its own that another one began.

use super::child::Folder;
use super::events::Heard;
use super::supervise::{Fault, Runs};
use bramble_store::record::{Host, Run};
use bramble_store::{Log, Typed};

/// Events read at once.
const CHUNK: usize = 500;

impl Runs {
    /// Makes a run this daemon's own. Gives the place in its log behind which the events of its process begin, and
    /// what was heard of it before.
    pub(super) async fn adopt(&self, name: &str, folder: &Folder) -> Result<(u64, Heard), Fault> {
        let mut heard = Heard::default();
        let Some(replica) = &self.replica else {
            return Ok((0, heard));
        };
        let run = self.store.need::<Run>(name).await?.it;
        if run.state.is_over() {
            return Ok((0, heard));
        }
        let log = Log::Run(name.to_owned());
        let behind = match run.host {
            Some(host) if host.replica == replica.name() => host.behind,
            _ => {
                // What this daemon began before another one led. It ends with the lead, at the latest soon after.
                if folder.lives()? {
                    return Err(Fault::Earlier);
                }
                folder.delete()?;
                let behind = self.store.append(&log, Vec::new()).await?;
                let host = Host {
                    replica: replica.name().to_owned(),
                    behind,
                };
                self.store
                    .change::<Run, bramble_store::Error, _>(name, |it| {
                        it.host = Some(host.clone());
                        Ok(())
                    })
                    .await?;
                behind
            }
        };
        let mut at = 0;
        while at < behind {
            let lines = self.store.read(&log, at, CHUNK).await?;
            let Some(last) = lines.last() else {
                break;
            };
            at = last.at;
            for line in lines.iter().filter(|line| line.at <= behind) {
                heard.line(&line.text);
            }
        }
        Ok((behind, heard))
    }
}
