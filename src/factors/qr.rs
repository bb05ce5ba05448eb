//! QR codes (ISO/IEC 18004), drawn as one path of an SVG.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code that the standard requires.
const QUIET_ZONE: i32 = 4;

/// The side of the drawing in modules, its quiet zone included, and the dark modules as a path, one rectangle for each
/// run. `None`: `text` is longer than a code holds.
pub fn svg_path(text: &str) -> Option<(i32, String)> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let run = (x..size).take_while(|x| code.get_module(*x, y)).count() as i32;
            if run > 0 {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET_ZONE, y + QUIET_ZONE));
            }
            x += run + 1;
        }
    }
    Some((size + 2 * QUIET_ZONE, path))
}
