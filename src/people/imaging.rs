//! Pictures: decoded within limits and encoded again, so that no byte of an uploaded file is ever served.
//!
//! The claims of a file about itself are not trusted: its first bytes select the decoder, its dimensions are checked
//! before any pixel is read, and the decoder gets no more memory than a picture of [`PICTURE_PIXELS_MAX`] needs.
//! Everything in the file except the pixels (places, names, appended data) is dropped.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, Limits};

use super::model::PictureSize;
use crate::base::Problem;

/// The largest file, in bytes (domain 5.1.5).
pub const PICTURE_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Pixels of the largest picture (domain 5.1.5).
pub const PICTURE_PIXELS_MAX: u64 = 8_000_000;
/// The longest side in pixels: a strip of one pixel by millions is not a picture of a person, and slow to decode.
const PICTURE_SIDE_MAX: u32 = 10_000;
/// The memory of a decoder: four channels of 16 bits per pixel, and as much again for its own work.
const DECODER_BYTES_MAX: u64 = PICTURE_PIXELS_MAX * 16;
/// A quality at which a JPEG of these sizes shows no blocks.
const JPEG_QUALITY: u8 = 87;

/// Why a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFault {
    /// The form has no file.
    Missing,
    /// More than [`PICTURE_BYTES_MAX`].
    TooLarge,
    /// More than [`PICTURE_PIXELS_MAX`], or a side of more than ten thousand.
    TooManyPixels,
    /// Not PNG, JPEG or WebP.
    OtherKind,
    /// It begins as one of these but cannot be decoded.
    Damaged,
}

impl From<PictureFault> for Problem {
    fn from(fault: PictureFault) -> Self {
        let (code, sentence) = match fault {
            PictureFault::Missing => ("picture_missing", "Choose a picture first."),
            PictureFault::TooLarge => {
                ("picture_too_large", "This file is larger than 5 MB. Make it smaller, then upload it again.")
            }
            PictureFault::TooManyPixels => (
                "picture_too_many_pixels",
                "This picture has more than 8 million pixels, or a side of more than 10,000. Make it smaller, then upload it again.",
            ),
            PictureFault::OtherKind => (
                "picture_kind",
                "This is not a PNG, JPEG or WebP picture. Save it as one of these, then upload it again.",
            ),
            PictureFault::Damaged => {
                ("picture_damaged", "This picture is damaged and cannot be read. Save it again, then upload it.")
            }
        };
        let status = if fault == PictureFault::TooLarge { 413 } else { 400 };
        Problem { status, ..Problem::field("picture", code, sentence) }
    }
}

/// A picture as it is stored.
#[derive(Clone, Debug)]
pub struct RenderedPicture {
    /// `image/jpeg`, or `image/png` for a picture with transparency.
    pub media: &'static str,
    /// The files, in the order of [`PictureSize::ALL`].
    pub files: [Vec<u8>; 3],
}

/// Decodes a picture and encodes its middle square in all sizes. This is slow: about ten milliseconds per megapixel.
///
/// # Errors
/// [`PictureFault`].
pub fn render(bytes: &[u8]) -> Result<RenderedPicture, PictureFault> {
    if bytes.is_empty() {
        return Err(PictureFault::Missing);
    }
    if bytes.len() > PICTURE_BYTES_MAX {
        return Err(PictureFault::TooLarge);
    }
    let square = middle_square(decode(bytes)?);
    let has_transparency = square.as_rgba8().is_some_and(|all| all.pixels().any(|pixel| pixel.0[3] < u8::MAX));
    let square = if has_transparency {
        DynamicImage::ImageRgba8(square.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(square.into_rgb8())
    };
    let write = |size: PictureSize| {
        let small = square.resize_exact(size.pixels(), size.pixels(), FilterType::CatmullRom);
        encode(&small, has_transparency)
    };
    let [large, medium, small] = PictureSize::ALL;
    Ok(RenderedPicture {
        media: if has_transparency { "image/png" } else { "image/jpeg" },
        files: [write(large)?, write(medium)?, write(small)?],
    })
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureFault> {
    let source = Cursor::new(bytes);
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => {
            read(PngDecoder::with_limits(source, limits()).map_err(fault)?)
        }
        [0xff, 0xd8, 0xff, ..] => read(JpegDecoder::new(source).map_err(fault)?),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            read(WebPDecoder::new(source).map_err(fault)?)
        }
        _ => Err(PictureFault::OtherKind),
    }
}

fn fault(error: ImageError) -> PictureFault {
    match error {
        ImageError::Limits(_) => PictureFault::TooManyPixels,
        _ => PictureFault::Damaged,
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    limits
}

fn read(mut decoder: impl ImageDecoder) -> Result<DynamicImage, PictureFault> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PICTURE_PIXELS_MAX || width.max(height) > PICTURE_SIDE_MAX {
        return Err(PictureFault::TooManyPixels);
    }
    decoder.set_limits(limits()).map_err(fault)?;
    // Cameras store their orientation in the metadata, which is dropped; so the picture is turned now.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    // Eight bits a channel are what is stored. Each copy that follows takes half of the memory.
    let mut image = if image.color().has_alpha() {
        DynamicImage::ImageRgba8(image.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(image.into_rgb8())
    };
    image.apply_orientation(orientation);
    Ok(image)
}

/// The middle square. It is cropped before it is scaled: a scaled strip would need unlimited memory.
fn middle_square(image: DynamicImage) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    let side = width.min(height);
    if width == height {
        return image;
    }
    image.crop_imm((width - side) / 2, (height - side) / 2, side, side)
}

fn encode(image: &DynamicImage, has_transparency: bool) -> Result<Vec<u8>, PictureFault> {
    let mut file = Vec::new();
    let written = if has_transparency {
        image.write_with_encoder(PngEncoder::new(&mut file))
    } else {
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY))
    };
    written.map(|()| file).map_err(|_| PictureFault::Damaged)
}
