//! The logo: a bramble's fruit, and the name.

use super::{HEIGHT, WIDTH};
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::{DrawTarget, DrawTargetExt};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_10X20;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::{
    Circle, Line, Primitive, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, Triangle,
};
use embedded_graphics::text::{Baseline, Text};

/// The middle between the upper and the lower half of the panel.
const MIDDLE: i32 = HEIGHT as i32 / 2;
/// Left upper corners of the fruit's drupelets, from the stalk down.
const DRUPELETS: [(i32, i32); 11] = [
    (10, 18),
    (19, 18),
    (28, 18),
    (6, 26),
    (15, 26),
    (24, 26),
    (33, 26),
    (10, 34),
    (19, 34),
    (28, 34),
    (19, 43),
];
const DRUPELET: u32 = 11;
const LEAVES: [[(i32, i32); 3]; 3] = [
    [(24, 19), (8, 10), (20, 12)],
    [(24, 19), (40, 10), (28, 12)],
    [(24, 19), (20, 8), (28, 8)],
];
const STALK: [(i32, i32); 2] = [(24, 12), (29, 3)];
const NAME: (i32, i32) = (50, 24);

/// Draws as many lines above and below the middle as are unfolded.
pub(super) fn draw<D: DrawTarget<Color = BinaryColor>>(
    unfolded: u8,
    target: &mut D,
) -> Result<(), D::Error> {
    let lines = u32::from(unfolded).min(HEIGHT / 2);
    let window = Rectangle::new(
        Point::new(0, MIDDLE - lines as i32),
        Size::new(WIDTH, 2 * lines),
    );
    whole(&mut target.clipped(&window))
}

fn whole<D: DrawTarget<Color = BinaryColor>>(target: &mut D) -> Result<(), D::Error> {
    let on = BinaryColor::On;
    // Filled with the background, so that each covers a little of the one before.
    let drupelet = PrimitiveStyleBuilder::new()
        .stroke_color(on)
        .stroke_width(1)
        .fill_color(BinaryColor::Off)
        .build();
    for at in DRUPELETS.map(point) {
        Circle::new(at, DRUPELET)
            .into_styled(drupelet)
            .draw(target)?;
    }
    for [a, b, c] in LEAVES.map(|leaf| leaf.map(point)) {
        Triangle::new(a, b, c)
            .into_styled(PrimitiveStyle::with_fill(on))
            .draw(target)?;
    }
    let [from, to] = STALK.map(point);
    Line::new(from, to)
        .into_styled(PrimitiveStyle::with_stroke(on, 2))
        .draw(target)?;
    let style = MonoTextStyle::new(&FONT_10X20, on);
    Text::with_baseline("bramble", point(NAME), style, Baseline::Top).draw(target)?;
    Ok(())
}

fn point((x, y): (i32, i32)) -> Point {
    Point::new(x, y)
}
