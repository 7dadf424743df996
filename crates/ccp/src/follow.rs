//! Making a cluster and taking it away: order, follow, tell.

use crate::client::{Client, Ordered};
use crate::cluster::{Cluster, Phase, overlap};
use crate::error::Error;
use crate::file::{File, Plugin};
use crate::mark::{Owner, owner};
use crate::template::{Order, description};
use crate::wire;
use bramble_secret::Secret;
use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is told on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The cluster is ordered, or was before: it is followed from here on.
    Ordered {
        /// Whether it is this run that ordered it.
        now: bool,
    },
    /// A machine of it is ready.
    Machine {
        /// Its name.
        name: String,
    },
    /// Waiting.
    Waiting {
        /// For what.
        what: String,
        /// Since when.
        since: Duration,
        /// How long at most.
        limit: Duration,
    },
}

/// A cluster that is ready.
#[derive(Debug)]
pub struct Made {
    /// Whether this run ordered it.
    pub now: bool,
    /// Where its API is, `https://host:port`.
    pub address: String,
    /// By which `kubectl` reaches it.
    pub kubeconfig: Secret,
}

/// The port of an API whose address comes without one: kubeadm's, which the platform builds with.
const API_PORT: u16 = 6443;

/// After how long is told again what is still waited for.
const AGAIN: Duration = Duration::from_secs(30);

impl Client {
    /// Makes the cluster, or goes on with one that was ordered before, until it is ready.
    ///
    /// # Errors
    /// Why there is none; [`Error::Stopped`] once `stop` is true. The platform goes on by itself in any case.
    pub async fn up(
        &self,
        file: &File,
        order: &Order,
        mut stop: watch::Receiver<bool>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<Made, Error> {
        let now = match self.find(&order.name).await? {
            Some(found) => {
                ours(&found, &order.description)?;
                false
            }
            None => {
                self.free(file).await?;
                true
            }
        };
        tell(Told::Ordered { now });
        let cluster = self.until_ready(order, now, &mut stop, tell).await?;
        let kubeconfig = self.kubeconfig(&cluster).await?;
        let address =
            wire::server(kubeconfig.expose()).or_else(|| cluster.host.as_deref().map(address));
        Ok(Made {
            now,
            address: address.ok_or(Error::NoAddress { name: cluster.name })?,
            kubeconfig,
        })
    }

    /// Takes the cluster away, and waits until it is gone. Whether there was one.
    ///
    /// # Errors
    /// Why it is still there; [`Error::Stopped`] once `stop` is true. The platform goes on by itself in any case.
    pub async fn down(
        &self,
        file: &File,
        mut stop: watch::Receiver<bool>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<bool, Error> {
        let Some(found) = self.find(&file.name).await? else {
            return Ok(false);
        };
        // One with other settings is ours as well: a file that was changed must not keep its cluster from going.
        if owner(&found.description, &description(file)) == Owner::Foreign {
            return Err(Error::Foreign { name: found.name });
        }
        tell(Told::Ordered { now: true });
        self.until_gone(&found, &mut stop, tell).await?;
        Ok(true)
    }

    /// With ACI no two clusters may have the same addresses; with Calico each keeps its own to itself.
    async fn free(&self, file: &File) -> Result<(), Error> {
        if file.network.plugin != Plugin::ContivAci {
            return Ok(());
        }
        let all = self.clusters().await?;
        let network = file.network;
        match overlap(&all, &file.name, network.plugin.name(), network.range) {
            None => Ok(()),
            Some(other) => Err(Error::RangeUsed {
                range: network.range.to_string(),
                cluster: other.name.clone(),
                used: other.range.clone().unwrap_or_default(),
            }),
        }
    }

    async fn until_ready(
        &self,
        order: &Order,
        now: bool,
        stop: &mut watch::Receiver<bool>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<Cluster, Error> {
        let mut ordering = pin!(self.order(order));
        // Version 2 answers an order when the cluster is there; it is looked at meanwhile.
        let mut open = now;
        let mut looks = Looks::new(self.pace.look);
        let mut watch = Watch::new(&order.name, "ready", self.pace.create, self.pace.patience);
        let mut ready = BTreeSet::new();
        let mut taken = false;
        loop {
            tokio::select! {
                biased;
                () = stopped(stop) => return Err(Error::Stopped),
                answer = &mut ordering, if open => {
                    open = false;
                    match answer {
                        Ok(Ordered::Accepted) => {}
                        // Whoever was faster may have been an earlier run of this very file: the look decides.
                        Ok(Ordered::NameTaken) => taken = true,
                        // It may have been heard all the same; the look decides, within the patience.
                        Err(error) if error.is_passing() => watch.trouble(error)?,
                        Err(error) => return Err(error),
                    }
                }
                () = looks.pause() => {}
            }
            let found = match self.find(&order.name).await {
                Ok(found) => found,
                Err(error) if error.is_passing() => {
                    watch.trouble(error)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(cluster) = found else {
                if taken {
                    let name = order.name.clone();
                    return Err(Error::Foreign { name });
                }
                watch.missing(open)?;
                watch.tell("the platform to begin", tell);
                continue;
            };
            ours(&cluster, &order.description)?;
            watch.seen(&cluster)?;
            for machine in cluster
                .machines
                .iter()
                .filter(|m| Phase::of(&m.state) == Phase::Ready)
            {
                if ready.insert(machine.name.clone()) {
                    tell(Told::Machine {
                        name: machine.name.clone(),
                    });
                }
            }
            if cluster.phase() == Phase::Ready {
                return Ok(cluster);
            }
            watch.tell(&progress(&cluster, ready.len(), order.machines), tell);
        }
    }

    async fn until_gone(
        &self,
        cluster: &Cluster,
        stop: &mut watch::Receiver<bool>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), Error> {
        let mut deleting = pin!(self.delete(&cluster.id));
        let mut open = true;
        let mut looks = Looks::new(self.pace.look);
        let mut watch = Watch::new(&cluster.name, "gone", self.pace.delete, self.pace.patience);
        // One that failed is deleted like any other: its state says nothing new until the order is heard.
        let mut before = Some(cluster.state.clone());
        loop {
            tokio::select! {
                biased;
                () = stopped(stop) => return Err(Error::Stopped),
                answer = &mut deleting, if open => {
                    open = false;
                    match answer {
                        Ok(()) => {}
                        Err(error) if error.is_passing() => watch.trouble(error)?,
                        Err(error) => return Err(error),
                    }
                }
                () = looks.pause() => {}
            }
            match self.find(&cluster.name).await {
                // Another one of the same name is none of this run's business.
                Ok(found) => match found.filter(|found| found.id == cluster.id) {
                    None => return Ok(()),
                    Some(found) => {
                        let changed = before.as_ref() != Some(&found.state);
                        if changed {
                            before = None;
                            watch.seen(&found)?;
                        } else {
                            watch.still(&found)?;
                        }
                        watch.tell(
                            &format!("the platform to delete it (it says {})", found.state),
                            tell,
                        );
                    }
                },
                Err(error) if error.is_passing() => watch.trouble(error)?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// An error if a cluster isn't that of the file.
fn ours(cluster: &Cluster, wanted: &str) -> Result<(), Error> {
    let name = cluster.name.clone();
    match owner(&cluster.description, wanted) {
        Owner::Same => Ok(()),
        Owner::Foreign => Err(Error::Foreign { name }),
        Owner::Other => Err(Error::Other {
            name,
            description: wire::printable(&cluster.description, 200),
        }),
    }
}

fn address(host: &str) -> String {
    match host.contains(':') {
        true => format!("https://[{host}]:{API_PORT}"),
        false => format!("https://{host}:{API_PORT}"),
    }
}

fn progress(cluster: &Cluster, ready: usize, wanted: usize) -> String {
    let state = match cluster.state.as_str() {
        "" => "nothing yet",
        state => state,
    };
    format!("the platform (it says {state}, {ready} of {wanted} machines ready)")
}

/// Once it is true. A sender that is gone never says it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Pauses between looks: short ones first, since much that goes wrong does so at once.
struct Looks {
    next: Duration,
    longest: Duration,
}

impl Looks {
    fn new(longest: Duration) -> Self {
        Self {
            next: longest / 16,
            longest,
        }
    }

    async fn pause(&mut self) {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        tokio::time::sleep(pause).await;
    }
}

/// How long something is waited for, and how long it wasn't heard of.
struct Watch<'a> {
    name: &'a str,
    wanted: &'static str,
    begun: Instant,
    limit: Duration,
    patience: Duration,
    /// Since when the platform says nothing of use.
    quiet: Option<Instant>,
    state: String,
    known: bool,
    told: Option<(String, Instant)>,
}

impl<'a> Watch<'a> {
    fn new(name: &'a str, wanted: &'static str, limit: Duration, patience: Duration) -> Self {
        Self {
            name,
            wanted,
            begun: Instant::now(),
            limit,
            patience,
            quiet: None,
            state: String::new(),
            known: false,
            told: None,
        }
    }

    /// The platform can't be asked at the moment: passes until the patience ends.
    fn trouble(&mut self, error: Error) -> Result<(), Error> {
        self.in_time()?;
        match self.out_of_patience() {
            true => Err(error),
            false => Ok(()),
        }
    }

    /// The platform doesn't know the cluster. While an order is open it may not know it yet.
    fn missing(&mut self, open: bool) -> Result<(), Error> {
        let name = self.name.to_owned();
        if self.known {
            return Err(Error::Vanished { name });
        }
        self.in_time()?;
        if open {
            self.quiet = None;
            return Ok(());
        }
        match self.out_of_patience() {
            true => Err(self.late(self.patience)),
            false => Ok(()),
        }
    }

    /// The cluster is there.
    fn seen(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.still(cluster)?;
        match cluster.phase() {
            Phase::Failed => Err(Error::Failed {
                name: cluster.name.clone(),
                state: cluster.state.clone(),
                log: cluster.log(),
            }),
            Phase::Ready | Phase::Underway => Ok(()),
        }
    }

    /// The cluster is there as it was.
    fn still(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.quiet = None;
        self.known = true;
        self.state.clone_from(&cluster.state);
        self.in_time()
    }

    fn out_of_patience(&mut self) -> bool {
        let since = *self.quiet.get_or_insert_with(Instant::now);
        since.elapsed() >= self.patience
    }

    fn in_time(&self) -> Result<(), Error> {
        match self.begun.elapsed() < self.limit {
            true => Ok(()),
            false => Err(self.late(self.limit)),
        }
    }

    fn late(&self, limit: Duration) -> Error {
        Error::Late {
            name: self.name.into(),
            wanted: self.wanted,
            limit,
            state: self.state.clone(),
        }
    }

    /// Tells what is waited for: once, and now and then as long as it stays the same.
    fn tell(&mut self, what: &str, tell: &mut dyn FnMut(Told)) {
        let known = |(told, at): &(String, Instant)| told == what && at.elapsed() < AGAIN;
        if self.told.as_ref().is_some_and(known) {
            return;
        }
        self.told = Some((what.to_owned(), Instant::now()));
        tell(Told::Waiting {
            what: what.into(),
            since: self.begun.elapsed(),
            limit: self.limit,
        });
    }
}
