//! Wi-Fi: on, kept, off.

use crate::event::{EVENTS, Event, WIFI};
use bramble_button_settings::{Board, Hidden};
use embassy_futures::select::{Either, select};
use embassy_net::{Runner, Stack};
use embassy_time::{Duration, Timer};
use esp_hal::peripherals::WIFI as Radio;
use esp_println::println;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config, Interface, WifiController, WifiError};

/// Between two attempts to join.
const AGAIN: Duration = Duration::from_millis(500);

/// Moves packets.
#[embassy_executor::task]
pub async fn run(mut runner: Runner<'static, Interface>) {
    runner.run().await
}

/// Keeps Wi-Fi on while it is wanted.
#[embassy_executor::task]
pub async fn keep(board: &'static Board, stack: Stack<'static>, mut radio: Radio<'static>) {
    loop {
        if !WIFI.wait().await {
            continue;
        }
        // Dropped with everything in it once Wi-Fi isn't wanted any more.
        let joined = join(board, stack, radio.reborrow());
        if let Either::First(Err(error)) = select(joined, unwanted()).await {
            println!("Wi-Fi can't be switched on: {error:?}");
        }
    }
}

async fn unwanted() {
    while WIFI.wait().await {}
}

async fn join(board: &Board, stack: Stack<'static>, radio: Radio<'_>) -> Result<(), WifiError> {
    let mut controller = WifiController::new(radio, Default::default())?;
    controller.set_config(&Config::Station(station(board)?))?;
    let mut told = false;
    loop {
        if let Err(error) = controller.connect_async().await {
            println!("not joined: {error:?}");
            Timer::after(AGAIN).await;
            continue;
        }
        stack.wait_config_up().await;
        if !told {
            EVENTS.send(Event::WifiUp).await;
            told = true;
        }
        let _ = controller.wait_for_disconnect_async().await;
        println!("Wi-Fi is gone");
    }
}

fn station(board: &Board) -> Result<StationConfig, WifiError> {
    let password = board.wifi.password.as_ref().map(Hidden::expose);
    let authentication = match password {
        None => AuthenticationMethodConfig::Open,
        Some(password) => AuthenticationMethodConfig::WpaWpa2Personal(password.try_into()?),
    };
    let name = board.wifi.name.as_str().try_into()?;
    Ok(StationConfig::default()
        .with_ssid(name)
        .with_authentication(authentication))
}
