//! One connection, from the wish for it until the button leaves.

use crate::network::Network;
use bramble_bus::{Bus, Error, Link, Message, Subscription};
use bramble_button::{Failure, Topic};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Messages between the connection and the machine.
const WAITING: usize = 256;

/// What was last in the way; `None` since a connection came about.
pub type Trouble = Option<Arc<Error>>;

/// What a connection tells.
#[derive(Debug)]
pub(crate) enum News {
    /// It is there, with its subscriptions.
    Up,
    /// It didn't come about.
    Failed(Failure),
    /// It is gone.
    Lost,
    /// A message came.
    Heard(Message),
}

/// A connection; the button leaves when this is dropped.
pub(crate) struct Talk {
    task: JoinHandle<()>,
    news: mpsc::Receiver<News>,
    outbox: mpsc::Sender<Message>,
}

impl Talk {
    /// Connects and subscribes to these topics.
    pub fn begin(
        network: Arc<dyn Network>,
        topics: Vec<Topic>,
        trouble: watch::Sender<Trouble>,
    ) -> Self {
        let (tell, news) = mpsc::channel(WAITING);
        let (outbox, publish) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let news = match open(&*network, &topics).await {
                Ok((bus, subscriptions)) => {
                    trouble.send_replace(None);
                    // Who is told so may have left already.
                    let _ = tell.send(News::Up).await;
                    talk(bus, subscriptions, publish, &tell, &trouble).await;
                    News::Lost
                }
                Err(error) => {
                    tracing::info!("{error}");
                    let failure = match error.is_final() {
                        true => Failure::Refused,
                        false => Failure::Unreachable,
                    };
                    trouble.send_replace(Some(Arc::new(error)));
                    News::Failed(failure)
                }
            };
            let _ = tell.send(news).await;
        });
        Self { task, news, outbox }
    }

    /// What is new; never returns once the connection has said its last.
    pub async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Publishes a message. One that can't be is lost: the machine asks again.
    pub fn publish(&self, message: Message) {
        if self.outbox.try_send(message).is_err() {
            tracing::warn!("a message of the button is lost");
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn open(
    network: &dyn Network,
    topics: &[Topic],
) -> Result<(Arc<dyn Bus>, Vec<Subscription>), Error> {
    let bus = network.connect().await?;
    let mut subscriptions = Vec::new();
    for topic in topics {
        subscriptions.push(bus.subscribe(topic).await?);
    }
    Ok((bus, subscriptions))
}

/// Talks until the connection is lost.
async fn talk(
    bus: Arc<dyn Bus>,
    subscriptions: Vec<Subscription>,
    mut publish: mpsc::Receiver<Message>,
    tell: &mpsc::Sender<News>,
    trouble: &watch::Sender<Trouble>,
) {
    let mut link = bus.link();
    let hearing = subscriptions
        .into_iter()
        .map(|mut subscription| async move {
            while let Some(message) = subscription.next().await {
                if tell.send(News::Heard(message)).await.is_err() {
                    return;
                }
            }
        });
    let hearing = futures::future::join_all(hearing);
    let publishing = async {
        while let Some(message) = publish.recv().await {
            if let Err(error) = bus.publish(message).await {
                tracing::info!("{error}");
                trouble.send_replace(Some(Arc::new(error)));
            }
        }
    };
    tokio::select! {
        // A bus that is closed is lost, too.
        _ = link.wait_for(|link| *link != Link::Up) => {}
        _ = hearing => {}
        () = publishing => {}
    }
}
