//! The display: an SSD1306 of 128 by 64 pixels. A button without one works as well.

use bramble_button::{Screen, draw};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_7X13;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Alignment, Text};
use esp_hal::Blocking;
use esp_hal::i2c::master::{Config, I2c};
use esp_hal::peripherals::{GPIO6, GPIO7, I2C0};
use esp_hal::time::Rate;
use esp_println::println;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::{Brightness, DisplayRotation, DisplaySize128x64, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

/// What the display's datasheet allows at most, in kHz.
const KHZ: u32 = 400;

type Panel = Ssd1306<
    I2CInterface<I2c<'static, Blocking>>,
    DisplaySize128x64,
    BufferedGraphicsMode<DisplaySize128x64>,
>;

/// The display, if there is one.
pub struct Display(Option<Panel>);

impl Display {
    /// At these pins: data, then clock.
    pub fn new(i2c: I2C0<'static>, data: GPIO6<'static>, clock: GPIO7<'static>) -> Self {
        let config = Config::default().with_frequency(Rate::from_khz(KHZ));
        let Ok(bus) = I2c::new(i2c, config) else {
            return Self(None);
        };
        let interface = I2CDisplayInterface::new(bus.with_sda(data).with_scl(clock));
        let panel = Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0);
        let mut panel = panel.into_buffered_graphics_mode();
        let there = panel
            .init()
            .and_then(|()| panel.set_brightness(Brightness::BRIGHTEST));
        if there.is_err() {
            println!("there is no display");
        }
        Self(there.is_ok().then_some(panel))
    }

    /// Shows a screen.
    pub fn show(&mut self, screen: &Screen) {
        if let Some(panel) = &mut self.0 {
            // Into memory: it can't fail.
            let _ = draw::draw(screen, panel);
            self.flush();
        }
    }

    /// Shows lines of at most 18 characters, for what the state machine has no screen for.
    pub fn lines(mut self, lines: &[&str]) -> Self {
        if let Some(panel) = &mut self.0 {
            let style = MonoTextStyle::new(&FONT_7X13, BinaryColor::On);
            for (line, y) in lines.iter().zip((26..).step_by(18)) {
                let text = Text::with_alignment(line, Point::new(64, y), style, Alignment::Center);
                let _ = text.draw(panel);
            }
            self.flush();
        }
        self
    }

    fn flush(&mut self) {
        if let Some(panel) = &mut self.0
            && panel.flush().is_err()
        {
            println!("the display doesn't answer");
        }
    }

    /// Switches it off.
    pub fn off(self) {
        if let Some(mut panel) = self.0 {
            let _ = panel.set_display_on(false);
        }
    }
}
