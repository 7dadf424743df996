//! Screens as pixels: 128 by 64, one bit each, on any [`DrawTarget`].
//!
//! Nothing is ever drawn beside the panel: every line gets the largest font in which it fits; what fits in none is
//! broken, and what then still doesn't fit ends in an ellipsis. The CCPDashButton drew single lines below the lower edge.

mod layout;
mod logo;

use crate::Screen;
use crate::screen::Page;
use crate::text::ELLIPSIS;
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{Primitive, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use layout::{Font, Row};

/// Pixels from left to right.
pub const WIDTH: u32 = 128;
/// Pixels from top to bottom.
pub const HEIGHT: u32 = 64;

/// The bar's frame. Its percentage stands to the right of it: over the bar, as the CCPDashButton had it, it would hide text.
const BAR: Rectangle = Rectangle::new(Point::new(0, 52), Size::new(104, 12));
/// Height that text has beside a bar.
const ABOVE_BAR: u32 = 50;

/// Draws a screen over whatever was there.
///
/// # Errors
/// What the target says when it can't draw.
pub fn draw<D: DrawTarget<Color = BinaryColor>>(
    screen: &Screen,
    target: &mut D,
) -> Result<(), D::Error> {
    target.clear(BinaryColor::Off)?;
    if let Screen::Logo { unfolded } = screen {
        return logo::draw(*unfolded, target);
    }
    let Page { lines, bar } = screen.page();
    let height = if bar.is_some() { ABOVE_BAR } else { HEIGHT };
    for row in layout::rows(&lines, height) {
        draw_row(&row, target)?;
    }
    match bar {
        Some(percent) => draw_bar(percent.min(100), target),
        None => Ok(()),
    }
}

fn draw_row<D: DrawTarget<Color = BinaryColor>>(
    row: &Row<'_>,
    target: &mut D,
) -> Result<(), D::Error> {
    let columns = row.text.len() + if row.cut { ELLIPSIS.len() } else { 0 };
    let left = WIDTH.saturating_sub(columns as u32 * row.font.width()) / 2;
    let next = write(
        row.text,
        Point::new(left as i32, row.top as i32),
        row.font,
        target,
    )?;
    if row.cut {
        write(ELLIPSIS, next, row.font, target)?;
    }
    Ok(())
}

fn draw_bar<D: DrawTarget<Color = BinaryColor>>(
    percent: u8,
    target: &mut D,
) -> Result<(), D::Error> {
    BAR.into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1))
        .draw(target)?;
    // One pixel for each percent, with a dark line between frame and filling.
    Rectangle::new(
        BAR.top_left + Point::new(2, 2),
        Size::new(percent.into(), BAR.size.height - 4),
    )
    .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
    .draw(target)?;
    let digits = [percent / 100, percent / 10 % 10, percent % 10].map(|digit| b'0' + digit);
    let first = match percent {
        100.. => 0,
        10.. => 1,
        _ => 2,
    };
    let font = Font::SMALLEST;
    let mut at = Point::new((WIDTH - 4 * font.width()) as i32 + first as i32 * 5, 54);
    for digit in &digits[first..] {
        at = write(
            core::str::from_utf8(&[*digit]).unwrap_or("?"),
            at,
            font,
            target,
        )?;
    }
    write("%", at, font, target)?;
    Ok(())
}

/// Writes from a left upper corner and says where the text ends.
fn write<D: DrawTarget<Color = BinaryColor>>(
    text: &str,
    at: Point,
    font: Font,
    target: &mut D,
) -> Result<Point, D::Error> {
    let style = MonoTextStyle::new(font.glyphs(), BinaryColor::On);
    Text::with_baseline(text, at, style, Baseline::Top).draw(target)
}
