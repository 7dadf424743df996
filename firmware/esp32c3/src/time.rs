//! What the time is, from a server.

use crate::event::{CLOCK, EVENTS, Event};
use bramble_button_link::{clock, sntp};
use bramble_button_settings::Board;
use embassy_futures::select::select;
use embassy_net::dns::DnsQueryType;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Timer, with_timeout};

/// Packets kept at once, each way.
const PACKETS: usize = 2;
/// Bytes of a packet, with what some servers add.
const PACKET: usize = 128;

/// Asks while the time is wanted, until somebody answers.
#[embassy_executor::task]
pub async fn tell(board: &'static Board, stack: Stack<'static>) {
    let mut wanted = false;
    loop {
        if !wanted {
            wanted = CLOCK.wait().await;
            continue;
        }
        let ask = async {
            let seconds = told(board, stack).await;
            clock::set(seconds);
            EVENTS.send(Event::Clock(seconds)).await;
        };
        let mut next = false;
        select(ask, async { next = CLOCK.wait().await }).await;
        wanted = next;
    }
}

async fn told(board: &Board, stack: Stack<'static>) -> u64 {
    loop {
        let again = Duration::from_millis(sntp::AGAIN_MS);
        if let Ok(Some(seconds)) = with_timeout(again, once(board, stack)).await {
            return seconds;
        }
        Timer::after_millis(100).await;
    }
}

/// One question and its answer.
async fn once(board: &Board, stack: Stack<'static>) -> Option<u64> {
    let server = *stack
        .dns_query(&board.time_server, DnsQueryType::A)
        .await
        .ok()?
        .first()?;
    let (mut receive, mut send) = (
        [PacketMetadata::EMPTY; PACKETS],
        [PacketMetadata::EMPTY; PACKETS],
    );
    let (mut received, mut sent) = ([0; PACKETS * PACKET], [0; PACKETS * PACKET]);
    let mut socket = UdpSocket::new(stack, &mut receive, &mut received, &mut send, &mut sent);
    socket.bind(0).ok()?;
    let random = esp_hal::rng::Rng::new();
    let cookie = u64::from(random.random()) << 32 | u64::from(random.random());
    let server = IpEndpoint::new(server, sntp::PORT);
    socket.send_to(&sntp::request(cookie), server).await.ok()?;
    loop {
        let mut packet = [0; PACKET];
        let (length, from) = socket.recv_from(&mut packet).await.ok()?;
        // Another's, or an answer to an earlier question, says nothing.
        if from.endpoint == server
            && let Some(seconds) = sntp::answer(&packet[..length], cookie)
        {
            return Some(seconds);
        }
    }
}
