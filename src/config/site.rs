//! `[site]`: the name and the looks of the platform that the appliance belongs to.

use std::sync::Arc;

use sha2::{Digest, Sha256};

/// `[site]`.
#[derive(Clone, Debug)]
pub struct SiteInfo {
    /// The name on pages, in mails and in authenticator apps.
    pub name: String,
    /// Whether the settings have a name.
    pub is_named: bool,
    /// The picture next to the name. `None`: the one of the program.
    pub logo: Option<Arc<Logo>>,
    /// The colour of links and of the main button. `None`: the one of the program.
    pub accent: Option<Accent>,
    /// The address of the platform, which pages link back to.
    pub platform_url: Option<String>,
    /// Where people get help: an address of a page, or `mailto:` with an e-mail address.
    pub support_url: Option<String>,
    #[allow(missing_docs)]
    pub terms_url: Option<String>,
    #[allow(missing_docs)]
    pub privacy_url: Option<String>,
}

/// Where people get help: what a link leads to, and what it says.
#[allow(missing_docs)]
pub struct Support<'s> {
    pub url: &'s str,
    pub words: &'s str,
}

impl SiteInfo {
    /// The address of the logo, with a part of the hash of its content. `None`: there is none.
    pub fn logo_href(&self) -> Option<String> {
        let logo = self.logo.as_ref()?;
        Some(format!("/site/logo.{}?v={}", logo.ending, logo.version))
    }

    /// The address of the style sheet with the accent. `None`: there is none.
    pub fn style_href(&self) -> Option<String> {
        Some(format!("/site/accent.css?v={}", version(self.accent?.style_sheet().as_bytes())))
    }

    /// Where people get help. `None`: the settings do not say.
    pub fn support(&self) -> Option<Support<'_>> {
        let url = self.support_url.as_deref()?;
        Some(Support { url, words: url.strip_prefix("mailto:").unwrap_or(url) })
    }
}

fn version(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content)[..4])
}

impl Default for SiteInfo {
    fn default() -> Self {
        Self {
            name: "Domicile".to_owned(),
            is_named: false,
            logo: None,
            accent: None,
            platform_url: None,
            support_url: None,
            terms_url: None,
            privacy_url: None,
        }
    }
}

/// A picture for pages, as the file has it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Logo {
    pub bytes: Vec<u8>,
    pub mime: &'static str,
    /// The ending of its name in addresses.
    pub ending: &'static str,
    /// A part of the hash of the content, which each page names.
    pub version: String,
}

/// The largest file of a logo in bytes: every page shows it.
pub(super) const LOGO_BYTES_MAX: usize = 256 * 1024;

impl Logo {
    /// Recognizes SVG, PNG, JPEG and WebP by the content. `None`: it is none of them.
    pub(super) fn recognize(bytes: Vec<u8>) -> Option<Self> {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).trim_start().to_owned();
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let (mime, ending) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            ("image/png", "png")
        } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            ("image/jpeg", "jpg")
        } else if is_webp {
            ("image/webp", "webp")
        } else if start.starts_with('<') && start.contains("<svg") {
            ("image/svg+xml", "svg")
        } else {
            return None;
        };
        Some(Self { version: version(&bytes), bytes, mime, ending })
    }
}

/// A colour with enough contrast: text in it can be read on the light backgrounds of pages, and white text on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accent {
    rgb: [u8; 3],
    /// Chroma and hue in degrees (OKLCH). The other shades of the accent have this hue.
    chroma: f64,
    hue: f64,
}

/// Why a text is no accent.
#[derive(Debug, PartialEq)]
pub(super) enum BadAccent {
    /// It is not `#` and six hexadecimal digits.
    Form,
    /// Its contrast to the light background of pages is too low. Has the same colour, dark enough.
    TooLight { contrast: f64, darker: String },
}

/// The smallest contrast of text (WCAG 2.2, 1.4.3).
const CONTRAST_MIN: f64 = 4.5;
/// The relative luminance of the darkest light background that text in the accent stands on: the soft accent,
/// `oklch(.955 .022 h)`.
const SOFT_LUMINANCE: f64 = 0.86;

impl Accent {
    pub(super) fn parse(text: &str) -> Result<Self, BadAccent> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let byte = |at: usize| digits.and_then(|digits| u8::from_str_radix(&digits[at..at + 2], 16).ok());
        let (Some(red), Some(green), Some(blue)) = (byte(0), byte(2), byte(4)) else { return Err(BadAccent::Form) };
        let rgb = [red, green, blue];
        let contrast = contrast(rgb);
        if contrast < CONTRAST_MIN {
            return Err(BadAccent::TooLight { contrast, darker: written(darker(rgb)) });
        }
        let (chroma, hue) = chroma_and_hue(rgb);
        Ok(Self { rgb, chroma, hue })
    }

    /// As it was written.
    pub fn hex(&self) -> String {
        written(self.rgb)
    }

    /// A style sheet that replaces the accent of the program. In the dark scheme the accent is the same hue, as light as
    /// the one of the program.
    pub fn style_sheet(&self) -> String {
        let Self { chroma, hue, .. } = self;
        let dark = chroma.min(0.11);
        let soft = chroma.min(0.022);
        format!(
            ":root{{--accent:light-dark({light},oklch(.76 {dark:.3} {hue:.1}));\
             --accent-hover:light-dark(color-mix(in oklab,{light},#000 14%),oklch(.82 {dark:.3} {hue:.1}));\
             --on-accent:light-dark(#fff,oklch(.19 .03 {hue:.1}));\
             --accent-soft:light-dark(oklch(.955 {soft:.3} {hue:.1}),oklch(.27 {dark_soft:.3} {hue:.1}))}}\n",
            light = self.hex(),
            dark_soft = chroma.min(0.035),
        )
    }
}

fn written([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The part of the light of a channel (IEC 61966-2-1).
fn linear(channel: u8) -> f64 {
    let value = f64::from(channel) / 255.0;
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The contrast to the soft accent (WCAG 2.2).
fn contrast(rgb: [u8; 3]) -> f64 {
    let [red, green, blue] = rgb.map(linear);
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    (SOFT_LUMINANCE + 0.05) / (luminance + 0.05)
}

/// The lightest shade of the colour that has enough contrast.
fn darker(rgb: [u8; 3]) -> [u8; 3] {
    let shade = |percent: u16| rgb.map(|channel| u8::try_from(u16::from(channel) * percent / 100).unwrap_or(channel));
    (0..100).rev().map(shade).find(|shade| contrast(*shade) >= CONTRAST_MIN).unwrap_or_default()
}

/// Chroma and hue in OKLCH (CSS Color 4, section 9.2).
fn chroma_and_hue(rgb: [u8; 3]) -> (f64, f64) {
    let [red, green, blue] = rgb.map(linear);
    let long = (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
    let medium = (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
    let short = (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
    let a = 1.977_998_495_1 * long - 2.428_592_205 * medium + 0.450_593_709_9 * short;
    let b = 0.025_904_037_1 * long + 0.782_771_766_2 * medium - 0.808_675_766 * short;
    (a.hypot(b), b.atan2(a).to_degrees().rem_euclid(360.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_can_be_read_or_names_a_shade_that_can() {
        for good in ["#1d6b5f", "#0000ff", "#000000", "#B00020"] {
            let accent = Accent::parse(good).unwrap_or_else(|bad| panic!("{good}: {bad:?}"));
            assert_eq!(accent.hex(), good.to_ascii_lowercase());
        }
        for bad in ["#ffcc00", "#ffffff", "#00ff00", "#ff7f50"] {
            let Err(BadAccent::TooLight { contrast, darker }) = Accent::parse(bad) else { panic!("{bad} was taken") };
            assert!((1.0..4.5).contains(&contrast) || bad == "#ffffff", "{bad}: {contrast}");
            assert!(Accent::parse(&darker).is_ok(), "{bad}: {darker} is no better");
        }
        for form in ["", "teal", "1d6b5f", "#1d6", "#1d6b5g", "#é12345", "#1d6b5f00"] {
            assert_eq!(Accent::parse(form), Err(BadAccent::Form), "{form}");
        }
    }

    #[test]
    fn the_shades_have_the_hue_of_the_accent() {
        let accent = Accent::parse("#1d6b5f").unwrap();
        assert!((accent.hue - 180.0).abs() < 5.0 && (accent.chroma - 0.08).abs() < 0.02, "{accent:?}");
        let sheet = accent.style_sheet();
        assert!(sheet.starts_with(":root{--accent:light-dark(#1d6b5f,oklch(.76 0.0"), "{sheet}");
    }

    #[test]
    fn a_logo_is_recognized_by_its_content() {
        let mime = |bytes: &[u8]| Logo::recognize(bytes.to_vec()).map(|logo| logo.mime);
        assert_eq!(
            mime(b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
            Some("image/svg+xml")
        );
        assert_eq!(mime(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(mime(b"RIFF....WEBPVP8 "), Some("image/webp"));
        for other in [b"".as_slice(), b"GIF89a", b"<html><body>", b"svg"] {
            assert_eq!(mime(other), None);
        }
    }
}
