//! Buttons that speak only the seed's grammar ([`bramble_button::seed`]). All of them hear one topic, so that they have one
//! state together: a press while the cluster of any of them is made follows that one.
//!
//! Nothing here is proven: whoever may publish at the topic can say that they are a button. What they get by it is at most
//! one cluster for each old button that is registered.

use super::handler::{Handler, NotHeard, now, refused};
use super::known::{Known, is_old};
use super::names;
use super::ordering::LATE;
use super::orders::Refusal;
use bramble_bus::Message;
use bramble_button::seed::{Line, Verb};
use bramble_button::{Status, Word};
use bramble_store::Typed;
use bramble_store::record::Button;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a press whose cluster is ready already looks like one whose cluster is being made: an old button must have
/// seen that before it believes the result.
const RECALL: Duration = Duration::from_secs(3);

/// Results that are to be told again: by button, which cluster, and when.
pub(super) type Recalls = HashMap<String, (Word, Instant)>;

impl Handler {
    /// Answers a message at the topic of old buttons.
    pub(super) async fn said_by_old(&self, message: &Message, recalls: &mut Recalls) {
        // A line has no date: what is retained may be of any day.
        if message.retain {
            return;
        }
        let Ok(line) = Line::read(&message.payload) else {
            return tracing::debug!("garbage at {}", message.topic);
        };
        if line.sender == self.settings.handler {
            return;
        }
        let answered = match line.verb {
            Verb::GetStatus => self.asked_by_old(&line.sender, recalls).await,
            Verb::ProvisionCluster(_) => self.ordered_by_old(&line.sender, recalls).await,
            // A handler's words, but not this one's.
            _ => return,
        };
        if let Err(error) = answered {
            tracing::warn!("the button {} gets no answer: {error}", line.sender);
        }
    }

    async fn asked_by_old(&self, sender: &Word, recalls: &Recalls) -> Result<(), NotHeard> {
        if self.old_button(sender).await?.is_none() {
            return Ok(());
        }
        if let Some(cluster) = self.old_at_work(recalls).await? {
            return self.say(Verb::StatusProvisioning(cluster));
        }
        // A result that wasn't told yet is the answer: who heard that all is available first would never know it.
        let waiting = self.at_work_when_told();
        if waiting.is_empty() {
            return self.say(Verb::StatusAvailable);
        }
        for id in waiting {
            self.tell_one(&id).await?;
        }
        Ok(())
    }

    /// Old buttons that were told at last that their cluster is made.
    fn at_work_when_told(&self) -> Vec<String> {
        let told = self.told();
        let at_work = told
            .iter()
            .filter(|(_, told)| told.old && matches!(told.status, Status::Provisioning(_)));
        at_work.map(|(id, _)| id.clone()).collect()
    }

    async fn ordered_by_old(&self, sender: &Word, recalls: &mut Recalls) -> Result<(), NotHeard> {
        let _turn = self.turn.lock().await;
        let Some((id, known)) = self.old_button(sender).await? else {
            return Ok(());
        };
        if let Some(cluster) = self.old_at_work(recalls).await? {
            return self.say(Verb::StatusProvisioning(cluster));
        }
        let status = match known.status() {
            Status::Provisioned {
                cluster: Some(cluster),
                ..
            } => {
                let due = Instant::now() + RECALL;
                recalls.insert(id, (cluster.clone(), due));
                return self.say(Verb::StatusProvisioning(cluster));
            }
            Status::Available | Status::Removed { .. } | Status::Failed { .. }
                if self.is_late(&id) =>
            {
                refused(&Refusal::new(LATE))
            }
            Status::Available | Status::Removed { .. } | Status::Failed { .. } => {
                self.begin_for_old(&id, &known).await?
            }
            at_work => at_work,
        };
        self.tell_old(None, status)
    }

    async fn begin_for_old(&self, id: &str, known: &Known) -> Result<Status, NotHeard> {
        let now = now()?;
        let again = matches!(known.status(), Status::Available | Status::Failed { .. });
        let name = match &known.standing {
            Some(own) if again => own.name.clone(),
            _ => self.free(&names::proposal(id, now)).await?,
        };
        let before = known.button.cluster.clone();
        self.store
            .change::<Button, NotHeard, _>(id, |button| {
                if button.cluster != before {
                    return Err(NotHeard::Raced);
                }
                button.last = now.seconds();
                button.cluster = Some(name.clone());
                Ok(())
            })
            .await?;
        let status = self.begin(id, known, &name).await?;
        let told = super::tell::Told::to_old(Some(name), status.clone());
        if !matches!(status, Status::Refused { .. }) {
            self.told().insert(id.to_owned(), told);
        }
        Ok(status)
    }

    /// Says to old buttons what has changed.
    pub(super) fn tell_old(&self, before: Option<Status>, status: Status) -> Result<(), NotHeard> {
        match (&before, &status) {
            // Only what a run came to is told unasked.
            (None, Status::Provisioned { .. } | Status::Failed { .. } | Status::Available) => {}
            (Some(Status::Provisioning(_)), Status::Provisioning(_)) => {}
            (_, Status::Provisioning(_) | Status::Provisioned { .. }) => {
                self.say(Verb::of(&status))?;
            }
            (_, Status::Failed { .. } | Status::Refused { .. }) => {
                self.say(Verb::of(&status))?;
                self.say(Verb::StatusAvailable)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells results again whose time has come.
    pub(super) async fn recall(&self, recalls: &mut Recalls) {
        let now = Instant::now();
        let due: Vec<String> = recalls
            .iter()
            .filter(|(_, (_, at))| *at <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            recalls.remove(&id);
            let told = match Known::read(&*self.store, &id).await {
                Ok(Some(known)) => self.say(Verb::of(&known.status())),
                Ok(None) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = told {
                tracing::warn!("the button {id} isn't told its result again: {error}");
            }
        }
    }

    /// The cluster that is made for an old button at the moment, whichever that is.
    async fn old_at_work(&self, recalls: &Recalls) -> Result<Option<Word>, NotHeard> {
        if let Some((cluster, _)) = recalls.values().next() {
            return Ok(Some(cluster.clone()));
        }
        for button in self.store.all::<Button>().await? {
            if !is_old(&button.it) {
                continue;
            }
            let known = Known::of(&*self.store, button.it).await?;
            if let (true, Status::Provisioning(progress)) = (known.is_busy(), known.status()) {
                return Ok(Some(progress.cluster));
            }
        }
        Ok(None)
    }

    /// Who says this, if they are registered as old. The CCPDashButton's ids have capital letters, the record's haven't.
    async fn old_button(&self, sender: &Word) -> Result<Option<(String, Known)>, NotHeard> {
        let id = sender.as_str().to_ascii_lowercase();
        let known = Known::read(&*self.store, &id).await?;
        let known = known.filter(|known| is_old(&known.button));
        if known.is_none() {
            tracing::warn!("the old button {sender} is not known here");
        }
        Ok(known.map(|known| (id, known)))
    }

    fn say(&self, verb: Verb) -> Result<(), NotHeard> {
        let Some(topic) = &self.settings.old else {
            return Ok(());
        };
        let line = Line {
            time: now()?.time_of_day(),
            sender: self.settings.handler.clone(),
            verb,
        };
        self.post(Message::new(topic.clone(), line.message().to_vec()));
        Ok(())
    }
}
