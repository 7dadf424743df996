//! A connection to a broker (MQTT 5), from the first byte until it breaks.

use crate::halves::Halves;
use crate::tls::{self, Buffers};
use bramble_button::{Failure, Input, Message, PAYLOAD, Protocol, TOPIC, limits};
use bramble_button_settings::{Board, Broker};
use core::convert::Infallible;
use core::num::NonZero;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_sync::channel::Receiver;
use embassy_sync::mutex::Mutex;
use embassy_sync::pipe::{self, Pipe};
use embassy_sync::signal::Signal;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::{CryptoRngCore, TlsError};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::AllocBuffer;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
};
use rust_mqtt::client::{Client, MqttError};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::types::{MqttBinary, MqttString, QoS, ReasonCode, TopicFilter, TopicName};

/// Seconds after which the broker gives the button up. The button says something more often than that: see the assertion.
const KEEP_ALIVE: NonZero<u16> = NonZero::new(60).expect("it isn't zero");
const _: () = assert!(2 * limits::FOLLOW_ASK < 60_000 && 2 * limits::CONFIRM < 60_000);
/// Bytes of a packet at most: the longest message and its topic, and what MQTT adds.
const PACKET: NonZero<u32> = NonZero::new((PAYLOAD + TOPIC + 256) as u32).expect("it isn't zero");
/// Bytes between the stream and the client.
const PIPE: usize = 1_024;
/// Bytes taken from one of them at once.
const CHUNK: usize = 512;
/// Subscriptions under way at most, and publications.
const SUBSCRIPTIONS: usize = 2;
const PUBLICATIONS: usize = 4;

/// With which quality of service a button publishes.
pub fn publish_quality(board: &Board) -> QoS {
    match board.button.protocol {
        Protocol::Seed { .. } => QoS::AtMostOnce,
        Protocol::Signed { .. } => QoS::AtLeastOnce,
    }
}

/// What a session needs.
pub struct Session<'a, M: RawMutex, const N: usize> {
    /// Who the button is.
    pub board: &'a Board,
    /// What is to be published.
    pub messages: Receiver<'a, M, Message, N>,
}

type Mqtt<'c, N> = Client<'c, 'c, N, AllocBuffer, SUBSCRIPTIONS, 4, PUBLICATIONS, 0, 0, 0, 0>;

impl<M: RawMutex, const N: usize> Session<'_, M, N> {
    /// Connects, with TLS if the board wants it, and subscribes; says [`Input::BrokerUp`], passes on what it hears and
    /// publishes what it is given, until the connection is gone. Gives why. Nothing is left over if this is dropped.
    pub async fn run<R: Read, W: Write>(
        &self,
        reader: R,
        writer: W,
        buffers: &mut Buffers,
        random: impl CryptoRngCore,
        mut tell: impl AsyncFnMut(Input<'_>),
    ) -> Failure {
        let Broker {
            host, authority, ..
        } = &self.board.broker;
        let Some(authority) = authority else {
            return self.over(reader, writer, &mut tell).await;
        };
        let (reader, writer) = (Mutex::new(reader), Mutex::new(writer));
        let stream = Halves {
            reader: &reader,
            writer: &writer,
        };
        match tls::encrypted(stream, buffers, host, authority, random).await {
            Ok(mut tls) => {
                let (reader, writer) = tls.split();
                self.over(reader, writer, &mut tell).await
            }
            Err(TlsError::InvalidCertificate | TlsError::InvalidSignature) => Failure::Refused,
            Err(_) => Failure::Unreachable,
        }
    }

    async fn over(
        &self,
        reader: impl Read,
        writer: impl Write,
        tell: &mut impl AsyncFnMut(Input<'_>),
    ) -> Failure {
        let mut inward = Pipe::<NoopRawMutex, PIPE>::new();
        let mut outward = Pipe::<NoopRawMutex, PIPE>::new();
        let (from_stream, to_client) = inward.split();
        let (from_client, to_stream) = outward.split();
        let ended = Signal::new();
        let ends = Ends {
            from: from_stream,
            to: to_stream,
            ended: &ended,
        };
        // The client stops listening whenever it has something to say. A stream that is read halfway would lose what it
        // had: only pipes are given up like that.
        let inward = async {
            carry(reader, to_client).await;
            ended.signal(());
            core::future::pending::<Infallible>().await
        };
        let outward = async {
            carry(from_client, writer).await;
            ended.signal(());
            core::future::pending::<Infallible>().await
        };
        match select3(inward, outward, self.talk(ends, tell)).await {
            Either3::First(never) | Either3::Second(never) => match never {},
            Either3::Third(failure) => failure,
        }
    }

    async fn talk(&self, ends: Ends<'_>, tell: &mut impl AsyncFnMut(Input<'_>)) -> Failure {
        match self.talk_on(ends, tell).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        }
    }

    async fn talk_on(
        &self,
        ends: Ends<'_>,
        tell: &mut impl AsyncFnMut(Input<'_>),
    ) -> Result<Infallible, Failure> {
        let mut buffer = AllocBuffer;
        let mut client: Mqtt<'_, Ends<'_>> = Client::new(&mut buffer);
        self.connect(&mut client, ends).await?;
        self.subscribe(&mut client, tell).await?;
        tell(Input::BrokerUp).await;
        loop {
            match select(client.poll_header(), self.messages.receive()).await {
                Either::First(header) => {
                    let header = header.map_err(|error| failure(&error))?;
                    let event = client
                        .poll_body(header)
                        .await
                        .map_err(|error| failure(&error))?;
                    hear(&event, tell).await;
                }
                Either::Second(message) => self.publish(&mut client, &message).await?,
            }
        }
    }

    async fn connect<'c>(
        &self,
        client: &mut Mqtt<'c, Ends<'c>>,
        ends: Ends<'c>,
    ) -> Result<(), Failure> {
        let broker = &self.board.broker;
        let mut options = ConnectOptions::new()
            .clean_start()
            .keep_alive(KeepAlive::Seconds(KEEP_ALIVE))
            .maximum_packet_size(PACKET);
        if let Some(password) = &broker.password {
            let password = MqttBinary::from_slice(password.expose().as_bytes());
            options = options
                .user_name(string(&broker.user)?)
                .password(password.map_err(|_| Failure::Refused)?);
        }
        let id = string(self.board.button.id.as_str())?;
        client
            .connect(ends, &options, Some(id))
            .await
            .map(|_| ())
            .map_err(|error| failure(&error))
    }

    /// All subscriptions, and the broker's word for each. What it has kept may come first.
    async fn subscribe<'c>(
        &self,
        client: &mut Mqtt<'c, Ends<'c>>,
        tell: &mut impl AsyncFnMut(Input<'_>),
    ) -> Result<(), Failure> {
        for topic in self.board.button.subscriptions() {
            let filter = TopicFilter::new(string(&topic)?).ok_or(Failure::Refused)?;
            let options = SubscriptionOptions::new().at_least_once();
            client
                .subscribe(filter, &options)
                .await
                .map_err(|error| failure(&error))?;
            loop {
                match client.poll().await.map_err(|error| failure(&error))? {
                    Event::Suback(answer) if answer.reason_code.is_success() => break,
                    Event::Suback(_) => return Err(Failure::Refused),
                    other => hear(&other, tell).await,
                }
            }
        }
        Ok(())
    }

    /// A message that can't be sent now is lost, as it may be anywhere on its way: questions are asked again.
    async fn publish<'c>(
        &self,
        client: &mut Mqtt<'c, Ends<'c>>,
        message: &Message,
    ) -> Result<(), Failure> {
        let topic = TopicName::new(string(&message.topic)?).ok_or(Failure::Refused)?;
        let options =
            PublicationOptions::new(TopicReference::Name(topic)).qos(publish_quality(self.board));
        match client
            .publish(&options, Bytes::from(message.payload.as_slice()))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_recoverable() => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }
}

async fn hear<const S: usize, const U: usize>(
    event: &Event<'_, S, U>,
    tell: &mut impl AsyncFnMut(Input<'_>),
) {
    let Event::Publish(message) = event else {
        return;
    };
    if let Some(topic) = message.topic.name() {
        tell(Input::Heard {
            topic: topic.as_ref().as_str(),
            payload: &message.message,
        })
        .await;
    }
}

fn string(text: &str) -> Result<MqttString<'_>, Failure> {
    MqttString::from_str(text).map_err(|_| Failure::Refused)
}

/// Whether trying again may help. MQTT 5, 2.4: what begins with 0x80 is an error; these are about who may do what.
fn failure<const U: usize>(error: &MqttError<'_, U>) -> Failure {
    let refused = [
        ReasonCode::NotAuthorized,
        ReasonCode::BadUserNameOrPassword,
        ReasonCode::Banned,
        ReasonCode::ClientIdentifierNotValid,
        ReasonCode::UnsupportedProtocolVersion,
    ];
    match error {
        MqttError::Disconnect { reason, .. } if refused.contains(reason) => Failure::Refused,
        _ => Failure::Unreachable,
    }
}

/// Bytes from one place to another, until one of them ends.
async fn carry(mut from: impl Read, mut to: impl Write) {
    let mut chunk = [0; CHUNK];
    loop {
        let count = match from.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        if to.write_all(&chunk[..count]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// What the client takes for its connection.
struct Ends<'p> {
    from: pipe::Reader<'p, NoopRawMutex, PIPE>,
    to: pipe::Writer<'p, NoopRawMutex, PIPE>,
    /// The stream ended. What it had said before is still in the pipe: a broker says why and closes.
    ended: &'p Signal<NoopRawMutex, ()>,
}

impl ErrorType for Ends<'_> {
    type Error = Infallible;
}

impl Read for Ends<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        match select(self.from.read(bytes), self.ended.wait()).await {
            Either::First(count) => Ok(count),
            Either::Second(()) => {
                // For the next time, too.
                self.ended.signal(());
                Ok(0)
            }
        }
    }
}

impl Write for Ends<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        Ok(self.to.write(bytes).await)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
