//! One connection to a broker, from its begin to its end.

use super::Settings;
use super::relay::Relay;
use crate::error::Error;
use crate::message::Message;
use crate::subscription::Subscriber;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use mqtt5::{
    ConnectOptions, ConnectionEvent, DisconnectReason, MqttClient, MqttError, PublishOptions,
    PublishResult, QoS, SubscribeOptions, WillMessage,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// From the first packet to the broker's word that the client is in.
const CONNECT: Duration = Duration::from_secs(10);

/// Until a publication, subscription or farewell is confirmed.
const CONFIRM: Duration = Duration::from_secs(10);

/// A connection over which nothing went so long is tried; a broker that is silent for half as long again is lost.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A connection.
pub(super) struct Connection {
    client: MqttClient,
    lost: watch::Receiver<Option<String>>,
    _relay: Relay,
}

impl Connection {
    /// Opens one.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let opening = open(settings);
        timeout(CONNECT, opening).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", CONNECT.as_secs());
            Err(unreachable(settings, why))
        })
    }

    /// Publishes, and waits for the confirmation.
    pub async fn publish(&self, message: Message) -> Result<(), Error> {
        let options = PublishOptions {
            qos: QoS::AtLeastOnce,
            retain: message.retain,
            ..PublishOptions::default()
        };
        let topic = message.topic.clone();
        let publishing = self
            .client
            .publish_with_options(message.topic, message.payload, options);
        match timeout(CONFIRM, publishing).await {
            Err(_) => Err(late()),
            Ok(Ok(PublishResult::Sent(_))) => Ok(()),
            // The connection was lost before the confirmation.
            Ok(Ok(PublishResult::Queued(_))) => Err(Error::Down),
            Ok(Err(error)) => Err(failed("publish to", "publishing to", topic, error)),
        }
    }

    /// Subscribes for somebody.
    pub async fn subscribe(&self, subscriber: Subscriber) -> Result<(), Error> {
        let options = SubscribeOptions {
            qos: QoS::AtLeastOnce,
            ..SubscribeOptions::default()
        };
        let filter = subscriber.filter.clone();
        let hear = move |message: mqtt5::Message| {
            subscriber.hear(Message {
                topic: message.topic,
                payload: message.payload,
                retain: message.retain,
            });
        };
        let subscribing = self
            .client
            .subscribe_with_options(filter.clone(), options, hear);
        match timeout(CONFIRM, subscribing).await {
            Err(_) => Err(late()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed("subscribe to", "subscribing to", filter, error)),
        }
    }

    /// Ends all subscriptions to a filter. If that fails, messages come that nobody hears.
    pub async fn unsubscribe(&self, filter: &str) {
        if let Ok(Err(error)) = timeout(CONFIRM, self.client.unsubscribe(filter)).await {
            tracing::debug!("unsubscribing from {filter}: {error}");
        }
    }

    /// Waits until it is lost and says why.
    pub async fn lost(&self) -> String {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "the client has ended".into(),
        }
    }

    /// Publishes a farewell and leaves.
    pub async fn leave(&self, farewell: Option<Message>) {
        if let Some(farewell) = farewell
            && let Err(error) = self.publish(farewell).await
        {
            tracing::warn!("the farewell failed: {error}");
        }
        if let Ok(Err(error)) = timeout(CONFIRM, self.client.disconnect()).await {
            tracing::debug!("leaving the broker: {error}");
        }
    }
}

async fn open(settings: &Settings) -> Result<Connection, Error> {
    if settings.proxy.is_some() {
        return dial(settings, None).await;
    }
    let mut last = unreachable(settings, "its name has no address".into());
    for address in resolve(settings).await? {
        match dial(settings, Some(address)).await {
            Ok(connection) => return Ok(connection),
            // Another address is the same broker.
            Err(error) if error.is_final() => return Err(error),
            // It listens at one of its addresses only: what it said there tells more.
            Err(Error::Closed { .. }) if matches!(last, Error::Certificate { .. }) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn resolve(settings: &Settings) -> Result<Vec<SocketAddr>, Error> {
    let broker = &settings.broker;
    let found = tokio::net::lookup_host((broker.host.as_str(), broker.port)).await;
    let found = found.map_err(|e| unreachable(settings, e.to_string()))?;
    Ok(found.collect())
}

async fn dial(settings: &Settings, address: Option<SocketAddr>) -> Result<Connection, Error> {
    let relay = Relay::open(settings, address).await?;
    let options = options(settings);
    let client = MqttClient::with_options(options.clone());
    client.set_queue_on_disconnect(false).await;
    let (losing, lost) = watch::channel(None);
    let told = client.on_connection_event(move |event| {
        if let ConnectionEvent::Disconnected { reason } = event {
            losing.send_replace(Some(why(&reason)));
        }
    });
    told.await
        .map_err(|e| unreachable(settings, e.to_string()))?;
    let begin = format!("mqtt://{}", relay.address);
    match client.connect_with_options(&begin, options).await {
        Ok(_) => Ok(Connection {
            client,
            lost,
            _relay: relay,
        }),
        Err(_) if relay.leads_elsewhere() => Err(Error::Elsewhere {
            broker: settings.broker.to_string(),
        }),
        Err(error) => Err(refused(settings, error)),
    }
}

fn options(settings: &Settings) -> ConnectOptions {
    let mut options = ConnectOptions::new(settings.client.clone())
        .with_clean_start(true)
        .with_keep_alive(KEEP_ALIVE)
        // Made again by who keeps it, with a say in when.
        .with_automatic_reconnect(false);
    if let Some((user, password)) = &settings.login {
        options = options.with_credentials(user.clone(), password.expose());
    }
    if let Some(will) = &settings.will {
        let message = WillMessage::new(will.topic.clone(), will.payload.clone())
            .with_qos(QoS::AtLeastOnce)
            .with_retain(will.retain);
        options = options.with_will(message);
    }
    options
}

fn why(reason: &DisconnectReason) -> String {
    match reason {
        DisconnectReason::ClientInitiated => "it was left".into(),
        DisconnectReason::ServerDisconnect(code) => format!("the broker ended it ({code:?})"),
        DisconnectReason::NetworkError(why) | DisconnectReason::ProtocolError(why) => why.clone(),
        DisconnectReason::KeepAliveTimeout => "the broker is silent".into(),
        other => format!("{other:?}"),
    }
}

fn unreachable(settings: &Settings, why: String) -> Error {
    Error::Unreachable {
        broker: settings.broker.to_string(),
        why,
    }
}

fn refused(settings: &Settings, error: MqttError) -> Error {
    let why = match &error {
        MqttError::ConnectionRefused(
            ReasonCode::BadUsernameOrPassword | ReasonCode::NotAuthorized,
        )
        | MqttError::AuthenticationFailed
        | MqttError::NotAuthorized => "name or password is wrong, or it may not come in",
        MqttError::ConnectionRefused(ReasonCode::ClientIdentifierNotValid) => {
            "it doesn't like the client's name"
        }
        MqttError::ConnectionRefused(ReasonCode::Banned) => "it is banned",
        _ => return unreachable(settings, error.to_string()),
    };
    Error::Refused {
        broker: settings.broker.to_string(),
        user: match &settings.login {
            Some((user, _)) => user.clone(),
            None => "a client without a name".into(),
        },
        why: why.into(),
    }
}

fn late() -> Error {
    Error::Late {
        seconds: CONFIRM.as_secs(),
    }
}

fn failed(act: &'static str, what: &'static str, topic: String, error: MqttError) -> Error {
    match error {
        MqttError::NotConnected | MqttError::ConnectionClosedByPeer | MqttError::ClientClosed => {
            Error::Down
        }
        MqttError::NotAuthorized
        | MqttError::PublishFailed(ReasonCode::NotAuthorized)
        | MqttError::SubscriptionFailed(ReasonCode::NotAuthorized)
        | MqttError::SubscriptionDenied(_) => Error::Denied { act, topic },
        error => Error::Failed {
            what,
            topic,
            why: error.to_string(),
        },
    }
}
