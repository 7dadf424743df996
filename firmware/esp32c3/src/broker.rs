//! Connections to the broker, one after the other.

use crate::event::{BROKER, Broker, EVENTS, Event, MESSAGES};
use bramble_button::{Failure, Input};
use bramble_button_link::{Buffers, Session};
use bramble_button_settings::Board;
use core::cell::Cell;
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use esp_hal::rng::Trng;
use static_cell::StaticCell;

/// Bytes that a socket keeps, each way.
const SOCKET: usize = 2_048;

/// Makes each connection that is wanted, and gives it up when it isn't any more.
#[embassy_executor::task]
pub async fn connect(board: &'static Board, stack: Stack<'static>) {
    static BUFFERS: StaticCell<Buffers> = StaticCell::new();
    let buffers = BUFFERS.init_with(Buffers::new);
    let mut wanted = None;
    loop {
        let Some(connection) = wanted else {
            wanted = BROKER.wait().await;
            continue;
        };
        match select(once(board, stack, buffers, connection), BROKER.wait()).await {
            Either::First(event) => {
                EVENTS.send(Event::Broker(connection, event)).await;
                wanted = None;
            }
            Either::Second(next) => wanted = next,
        }
    }
}

/// One connection, from its begin to how it ended.
async fn once(
    board: &Board,
    stack: Stack<'static>,
    buffers: &mut Buffers,
    connection: u32,
) -> Broker {
    let was_up = Cell::new(false);
    let tell = async |input: Input<'_>| {
        let event = match input {
            Input::BrokerUp => {
                was_up.set(true);
                Broker::Up
            }
            Input::Heard { topic, payload } => {
                // What is longer than a message of ours can't be one.
                let (Ok(topic), Ok(payload)) = (topic.try_into(), payload.try_into()) else {
                    return;
                };
                Broker::Heard(topic, payload)
            }
            _ => return,
        };
        EVENTS.send(Event::Broker(connection, event)).await;
    };
    let (mut received, mut sent) = ([0; SOCKET], [0; SOCKET]);
    let mut socket = TcpSocket::new(stack, &mut received, &mut sent);
    let failure = match dial(board, stack, &mut socket).await {
        None => Failure::Unreachable,
        Some(random) => {
            let (reader, writer) = socket.split();
            let session = Session {
                board,
                messages: MESSAGES.receiver(),
            };
            session.run(reader, writer, buffers, random, tell).await
        }
    };
    socket.abort();
    match was_up.get() {
        true => Broker::Lost,
        false => Broker::Failed(failure),
    }
}

/// Connects the socket, and has random numbers: Wi-Fi is the source of their noise.
async fn dial(board: &Board, stack: Stack<'static>, socket: &mut TcpSocket<'_>) -> Option<Trng> {
    stack.wait_config_up().await;
    let broker = &board.broker;
    let address = *stack
        .dns_query(&broker.host, DnsQueryType::A)
        .await
        .ok()?
        .first()?;
    socket.connect((address, broker.port)).await.ok()?;
    Trng::try_new().ok()
}
