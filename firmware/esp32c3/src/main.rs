//! The dash button's firmware for boards with an ESP32-C3: carries out what the state machine of `bramble-button` says.
//!
//! Invariants: decides nothing that the state machine decides; what can be tested on a computer is in
//! `bramble-button-settings` and `bramble-button-link`; whatever hangs, the watchdog ends it, and then the button sleeps.

#![no_std]
#![no_main]

mod broker;
mod button;
mod console;
mod display;
mod event;
mod flash;
mod panic;
mod power;
mod time;
mod wake;
mod wifi;

use bramble_button_settings::Board;
use embassy_executor::Spawner;
use embassy_net::{Config, Stack, StackResources};
use embassy_time::{Duration, with_timeout};
use esp_hal::clock::CpuClock;
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use static_cell::StaticCell;

esp_bootloader_esp_idf::esp_app_desc!();

/// How long the console waits for somebody, after power on and after a reset.
const CONSOLE: Duration = Duration::from_secs(15);
/// The same, where there are no settings yet: there is nothing else to do.
const CONSOLE_UNSET: Duration = Duration::from_secs(300);
/// Sockets: DHCP, DNS, time, broker.
const SOCKETS: usize = 4;

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    // TLS computes for long enough as it is.
    let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
    let hardware = esp_hal::init(config);
    // The radio wants most of it.
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 72 * 1024);
    let timers = TimerGroup::new(hardware.TIMG0);
    esp_rtos::start(timers.timer0, hardware.FROM_CPU_INTR0);

    let mut power = power::Power::new(hardware.LPWR, hardware.RTC_TIMER);
    let mut button = button::Button::new(hardware.GPIO4);
    let mut flash = flash::Flash::new(hardware.FLASH);
    let display = display::Display::new(hardware.I2C0, hardware.GPIO6, hardware.GPIO7);

    if !button.woke() {
        let limit = if flash.board().is_ok() {
            CONSOLE
        } else {
            CONSOLE_UNSET
        };
        let console = console::serve(hardware.USB_DEVICE, &mut flash, &mut power);
        let _ = with_timeout(limit, console).await;
        display.off();
        power.sleep(button);
    }
    match flash.board() {
        Ok(board) => {
            let entropy = wake::entropy(hardware.RNG, hardware.ADC1);
            let press = button.press().await;
            let board = kept(board);
            let stack = network(&spawner, board, hardware.WIFI);
            wake::live(
                &spawner, board, stack, button, display, power, press, entropy,
            )
            .await
        }
        Err(why) => {
            println!("no settings: {why}");
            let display = display.lines(&["No settings:", "see the console"]);
            embassy_time::Timer::after_secs(5).await;
            display.off();
            power.sleep(button);
        }
    }
}

/// Keeps settings for as long as the button is awake.
fn kept(board: Board) -> &'static Board {
    static BOARD: StaticCell<Board> = StaticCell::new();
    BOARD.init(board)
}

/// Starts what keeps Wi-Fi and addresses up; Wi-Fi itself is off until it is wanted.
fn network(
    spawner: &Spawner,
    board: &'static Board,
    radio: esp_hal::peripherals::WIFI<'static>,
) -> Stack<'static> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let seed = u64::from(esp_hal::rng::Rng::new().random()) << 32
        | u64::from(esp_hal::rng::Rng::new().random());
    let interface = esp_radio::wifi::Interface::station();
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(
        interface,
        Config::dhcpv4(Default::default()),
        resources,
        seed,
    );
    wake::spawn(spawner, wifi::run(runner));
    wake::spawn(spawner, wifi::keep(board, stack, radio));
    stack
}
