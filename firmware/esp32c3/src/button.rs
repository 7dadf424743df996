//! The push button between its pin and ground.

use bramble_button::Press;
use embassy_time::{Duration, Timer, with_timeout};
use esp_hal::gpio::{Event, Input, InputConfig, Pull, WakeupConfig};
use esp_hal::peripherals::GPIO4;

/// From here on a press is a long one.
const LONG: Duration = Duration::from_millis(1_500);
/// Contacts bounce for less than this.
const BOUNCE: Duration = Duration::from_millis(30);

/// The button. Only pins 0 to 5 of an ESP32-C3 can end deep sleep.
pub struct Button {
    pin: Input<'static>,
}

impl Button {
    /// At this pin. The resistor within the chip holds it up, in sleep as well.
    pub fn new(pin: GPIO4<'static>) -> Self {
        let config = InputConfig::default().with_pull(Pull::Up);
        Self {
            pin: Input::new(pin, config),
        }
    }

    /// Whether it was this button that ended sleep.
    pub fn woke(&self) -> bool {
        self.pin.caused_wakeup()
    }

    /// How it was pressed: it is known once it is released, or held for long enough.
    pub async fn press(&mut self) -> Press {
        match with_timeout(LONG, self.released()).await {
            Ok(()) => Press::Short,
            Err(_) => Press::Long,
        }
    }

    /// The next press: it must have been released before.
    pub async fn pressed(&mut self) {
        self.released().await;
        self.pin.wait_for_low().await;
    }

    async fn released(&mut self) {
        loop {
            self.pin.wait_for_high().await;
            Timer::after(BOUNCE).await;
            if self.pin.is_high() {
                return;
            }
        }
    }

    /// From here on a press ends deep sleep.
    pub fn wakes(&mut self) {
        self.pin.listen(Event::LowLevel);
        let config = WakeupConfig::default().with_low_power_path(true);
        if let Err(error) = self.pin.apply_wakeup_config(&config) {
            // A button that can't be woken were a brick.
            panic!("this pin can't end deep sleep: {error:?}");
        }
    }
}
