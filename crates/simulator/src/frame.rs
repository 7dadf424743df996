//! What the display shows.

use bramble_button::Screen;
use bramble_button::draw::{HEIGHT, WIDTH, draw};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use std::convert::Infallible;
use tokio::time::Instant;

/// Bytes of a row.
const ROW: usize = WIDTH as usize / 8;

/// The display's pixels, 128 by 64, one bit each: rows from the top, in a byte the leftmost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel([u8; ROW * HEIGHT as usize]);

/// The display at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Pixels; all dark in sleep.
    pub panel: Panel,
    /// What it shows; `None` in sleep.
    pub screen: Option<Screen>,
    /// When the button sleeps, where this is its last screen: it hears no press before.
    pub deaf_until: Option<Instant>,
}

impl Panel {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a pixel is lit; beside the panel nothing is.
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        place(x, y).is_some_and(|(byte, bit)| self.0[byte] & bit != 0)
    }
}

impl Default for Panel {
    fn default() -> Self {
        Self([0; ROW * HEIGHT as usize])
    }
}

impl Frame {
    /// A display that shows this.
    pub fn of(screen: Screen) -> Self {
        let mut panel = Panel::default();
        let Ok(()) = draw(&screen, &mut panel);
        Self {
            panel,
            screen: Some(screen),
            deaf_until: None,
        }
    }

    /// Its lines of text, and the bar's percentage behind them.
    pub fn lines(&self) -> Vec<String> {
        let Some(screen) = &self.screen else {
            return Vec::new();
        };
        let page = screen.page();
        let bar = page.bar.map(|percent| format!("{percent} %"));
        let lines = page.lines.iter().map(|line| (*line).to_owned());
        lines.chain(bar).collect()
    }
}

/// Byte and bit of a pixel.
fn place(x: u32, y: u32) -> Option<(usize, u8)> {
    let inside = x < WIDTH && y < HEIGHT;
    inside.then_some((y as usize * ROW + x as usize / 8, 0x80 >> (x % 8)))
}

impl OriginDimensions for Panel {
    fn size(&self) -> Size {
        Size::new(WIDTH, HEIGHT)
    }
}

impl DrawTarget for Panel {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else {
                continue;
            };
            let Some((byte, bit)) = place(x, y) else {
                continue;
            };
            match color {
                BinaryColor::On => self.0[byte] |= bit,
                BinaryColor::Off => self.0[byte] &= !bit,
            }
        }
        Ok(())
    }
}
