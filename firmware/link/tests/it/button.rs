//! A button's session over a TCP connection of this computer.

use crate::broker::{Broker, NAME, PASSWORD, USER};
use bramble_button::signed::{request_topic, status_topic};
use bramble_button::{Failure, Input, Message};
use bramble_button_link::{Buffers, Session, clock};
use bramble_button_settings::{Board, parse};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embedded_io_adapters::tokio_1::FromTokio;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// What is heard, and what is to be said.
pub struct Button {
    pub board: Board,
    pub address: SocketAddr,
}

#[derive(Debug, PartialEq)]
pub enum Told {
    Up,
    Heard(String, Vec<u8>),
}

pub fn board(password: &str, authority: Option<&str>, name: &str) -> Board {
    let tls = match authority {
        Some(pem) => pem.to_owned(),
        None => "tls = off\n".into(),
    };
    parse(&format!(
        "id = {USER}\nhandler = bramble\nkey = {}\nwifi = x\nbroker = {name}\npassword = {password}\n{tls}",
        "07".repeat(32)
    ))
    .unwrap()
}

pub fn told_the_time() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    clock::set(now);
}

impl Button {
    pub fn new(broker: &Broker, encrypted: bool) -> Self {
        told_the_time();
        match encrypted {
            true => Self {
                board: board(PASSWORD, Some(&broker.authority), NAME),
                address: broker.tls,
            },
            false => Self {
                board: board(PASSWORD, None, NAME),
                address: broker.plain,
            },
        }
    }

    /// Runs the session beside a test, and gives how the session ended if it did first.
    pub async fn with<F: Future<Output = ()>>(
        &self,
        test: impl FnOnce(mpsc::UnboundedReceiver<Told>, mpsc::UnboundedSender<Message>) -> F,
    ) -> Option<Failure> {
        let channel = Channel::<NoopRawMutex, Message, 4>::new();
        let (sender, heard) = mpsc::unbounded_channel();
        let (say, mut said) = mpsc::unbounded_channel::<Message>();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (reader, writer) = stream.into_split();
        let session = Session {
            board: &self.board,
            messages: channel.receiver(),
        };
        let mut buffers = Box::new(Buffers::new());
        let tell = async |input: Input<'_>| {
            let told = match input {
                Input::BrokerUp => Told::Up,
                Input::Heard { topic, payload } => Told::Heard(topic.into(), payload.into()),
                other => panic!("{other:?}"),
            };
            let _ = sender.send(told);
        };
        let run = session.run(
            FromTokio::new(reader),
            FromTokio::new(writer),
            &mut buffers,
            rand_core::OsRng,
            tell,
        );
        let pass_on = async {
            while let Some(message) = said.recv().await {
                channel.send(message).await;
            }
            std::future::pending::<()>().await;
        };
        let limited = tokio::time::timeout(Duration::from_secs(30), test(heard, say));
        tokio::select! {
            failure = run => Some(failure),
            () = pass_on => None,
            done = limited => {
                done.expect("in time");
                None
            }
        }
    }

    /// How a session ends that must end by itself.
    pub async fn ends(&self) -> Failure {
        let ended = self.with(|_heard, _say| std::future::pending()).await;
        ended.expect("it ends")
    }

    pub fn message(&self, payload: &[u8]) -> Message {
        Message {
            topic: request_topic(&self.board.button.id),
            payload: payload.iter().copied().collect(),
        }
    }

    pub fn status(&self) -> String {
        status_topic(&self.board.button.id).as_str().to_owned()
    }
}
