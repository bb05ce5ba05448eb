//! Pictures: which files are accepted, what is stored of them, and what a hostile file can do.

use std::io::Cursor;

use domicile::base::seconds;
use domicile::people::{self, PICTURE_BYTES_MAX, PeopleError, PictureFault, PictureSize, flows};
use image::{DynamicImage, GenericImageView, ImageFormat, ImageReader, Rgba, RgbaImage};

use crate::support::{Person, TestApp, holds};

impl TestApp {
    fn upload(&self, person: &Person, file: Vec<u8>) -> Result<String, PeopleError> {
        self.block_on(flows::set_picture(&self.app, person.by_browser(), person.account.id, file))
    }

    /// The stored picture with this name and size.
    fn picture(&self, name: &str, size: PictureSize) -> Option<people::Picture> {
        let name = name.to_owned();
        self.read(|view| people::picture(view, &name, size).unwrap())
    }
}

fn fault(tried: Result<String, PeopleError>) -> PictureFault {
    match tried {
        Err(PeopleError::Picture(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

/// A wide picture: red on the left, green in the middle square, blue on the right.
fn flag() -> DynamicImage {
    let colour = |x: u32| match x {
        0..100 => Rgba([255, 0, 0, 255]),
        100..300 => Rgba([0, 160, 0, 255]),
        _ => Rgba([0, 0, 255, 255]),
    };
    DynamicImage::ImageRgba8(RgbaImage::from_fn(400, 200, |x, _| colour(x)))
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = if format == ImageFormat::Jpeg { &DynamicImage::ImageRgb8(image.to_rgb8()) } else { image };
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn decode(bytes: &[u8]) -> DynamicImage {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap().decode().unwrap()
}

/// A chunk of a PNG file (PNG 3rd edition, 5.3).
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let mut body = kind.to_vec();
    body.extend(data);
    let check = crc32(&body).to_be_bytes();
    [&length[..], &body, &check].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// A PNG with the header of a picture of this size, but without its pixels.
fn without_pixels(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let parts =
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[0x78, 0x9c]), chunk(b"IEND", &[])];
    parts.concat()
}

#[test]
fn the_middle_square_is_stored_in_three_sizes_for_every_format() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mut names = Vec::new();

    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let name = site.upload(&ada, encode(&flag(), format)).unwrap();
        for size in PictureSize::ALL {
            let kept = site.picture(&name, size).unwrap();
            assert_eq!(kept.media, "image/jpeg", "{format:?}");
            let image = decode(&kept.bytes);
            assert_eq!(image.dimensions(), (size.pixels(), size.pixels()));
            let edge = size.pixels() - 1;
            for (x, y) in [(0, 0), (edge, edge), (edge / 2, edge / 2)] {
                let [red, green, blue, _] = image.get_pixel(x, y).0;
                assert!(green > 120 && red < 60 && blue < 60, "{format:?} {size:?} {:?}", (red, green, blue));
            }
        }
        names.push(name);
    }
    assert_eq!(site.number("select count(*) from picture"), 1, "each replaces the previous one");
    assert!(site.picture(&names[1], PictureSize::Small).is_none());
}

#[test]
fn transparency_is_kept() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let transparent =
        DynamicImage::ImageRgba8(RgbaImage::from_fn(64, 64, |x, _| Rgba([9, 9, 9, if x < 32 { 0 } else { 255 }])));

    let name = site.upload(&ada, encode(&transparent, ImageFormat::WebP)).unwrap();

    let kept = site.picture(&name, PictureSize::Medium).unwrap();
    assert_eq!(kept.media, "image/png");
    assert_eq!((decode(&kept.bytes).get_pixel(3, 3).0[3], decode(&kept.bytes).get_pixel(120, 3).0[3]), (0, 255));
}

#[test]
fn only_the_pixels_of_a_file_are_stored() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let plain = encode(&flag(), ImageFormat::Png);
    let secret = b"Comment\0taken at 51.4778 N, 0.0014 W";
    let end = plain.len() - 12;
    let with_text = [&plain[..end], &chunk(b"tEXt", secret), &plain[end..], b"<script>appended()</script>"].concat();

    let name = site.upload(&ada, with_text).unwrap();

    for size in PictureSize::ALL {
        let kept = site.picture(&name, size).unwrap().bytes;
        assert!(!holds(&kept, b"51.4778") && !holds(&kept, b"script"));
    }
    assert_eq!(site.columns_with("51.4778"), Vec::<String>::new());
}

#[test]
fn the_orientation_of_the_camera_is_applied() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // Red above, blue below; the metadata requires a quarter turn clockwise (Exif 2.32, tag 0x0112, value 6).
    let two = RgbaImage::from_fn(64, 64, |_, y| if y < 32 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) });
    let plain = encode(&DynamicImage::ImageRgba8(two), ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let turned = [&plain[..2], &[0xff, 0xe1], &length, exif, &plain[2..]].concat();

    let name = site.upload(&ada, turned).unwrap();

    let image = decode(&site.picture(&name, PictureSize::Medium).unwrap().bytes);
    let (left, right) = (image.get_pixel(5, 64).0, image.get_pixel(122, 64).0);
    assert!(left[2] > 200 && right[0] > 200, "{left:?} {right:?}");
}

#[test]
fn row_90_other_files_are_refused_and_the_previous_picture_stays() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let name = site.upload(&ada, encode(&flag(), ImageFormat::Png)).unwrap();
    let before = site.footprint();
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let png = encode(&flag(), ImageFormat::Png);
    let truncated = png[..png.len() / 2].to_vec();
    let mut large = png.clone();
    large.resize(PICTURE_BYTES_MAX + 1, 0);

    for (file, wanted) in [
        (Vec::new(), PictureFault::Missing),
        (svg.to_vec(), PictureFault::OtherKind),
        (b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), PictureFault::OtherKind),
        (b"<!doctype html><img src=x>".to_vec(), PictureFault::OtherKind),
        (b"%PDF-1.7".to_vec(), PictureFault::OtherKind),
        (truncated, PictureFault::Damaged),
        (b"\x89PNG\r\n\x1a\nno chunks".to_vec(), PictureFault::Damaged),
        (b"\xff\xd8\xff\xe0no markers".to_vec(), PictureFault::Damaged),
        (b"RIFF\x10\0\0\0WEBPVP8 junk".to_vec(), PictureFault::Damaged),
        (without_pixels(3, 3), PictureFault::Damaged),
        (without_pixels(0, 3), PictureFault::Damaged),
        (without_pixels(2829, 2829), PictureFault::TooManyPixels),
        (without_pixels(1, 10_001), PictureFault::TooManyPixels),
        (without_pixels(10_001, 1), PictureFault::TooManyPixels),
        (without_pixels(u32::MAX >> 1, u32::MAX >> 1), PictureFault::TooManyPixels),
        (large, PictureFault::TooLarge),
    ] {
        let start: String = String::from_utf8_lossy(&file[..file.len().min(16)]).into_owned();
        let what = format!("{start:?} of {} bytes", file.len());
        assert_eq!(fault(site.upload(&ada, file)), wanted, "{what}");
    }
    assert_eq!(site.footprint(), before);
    assert!(site.picture(&name, PictureSize::Large).is_some());
}

#[test]
fn row_90_a_decompression_bomb_of_eight_megapixels_is_a_picture_like_any_other() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // One colour: a few kilobytes that become thirty megabytes; and the narrowest strips that are allowed.
    for (width, height) in [(2828, 2828), (1, 10_000), (10_000, 1)] {
        let grey = DynamicImage::ImageLuma8(image::GrayImage::new(width, height));
        let file = encode(&grey, ImageFormat::Png);
        assert!(file.len() < 100_000, "{}", file.len());

        let name = site.upload(&ada, file).unwrap();

        assert_eq!(decode(&site.picture(&name, PictureSize::Large).unwrap().bytes).dimensions(), (512, 512));
    }
}

#[test]
fn row_90_no_changed_byte_of_a_picture_stops_the_server() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let small = DynamicImage::ImageRgba8(RgbaImage::from_fn(24, 24, |x, y| Rgba([x as u8 * 9, y as u8 * 9, 7, 200])));
    let mut refused = 0;

    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let good = encode(&small, format);
        for index in (0..good.len()).step_by(good.len().div_ceil(60)) {
            let mut bad = good.clone();
            bad[index] ^= 0x55;
            match site.upload(&ada, bad) {
                Ok(_) => {}
                Err(PeopleError::Picture(_)) => refused += 1,
                Err(other) => panic!("{format:?} at {index}: {other}"),
            }
        }
    }
    assert!(refused > 25, "{refused}");
}

#[test]
fn the_same_picture_of_two_people_has_two_names() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let file = encode(&flag(), ImageFormat::Png);

    let (hers, his) = (site.upload(&ada, file.clone()).unwrap(), site.upload(&bob, file.clone()).unwrap());

    assert_ne!(hers, his);
    assert_eq!(site.upload(&ada, file).unwrap(), hers, "the same file again has the same name");
}

#[test]
fn the_picture_of_another_person_cannot_be_changed() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let name = site.upload(&ada, encode(&flag(), ImageFormat::Png)).unwrap();
    let before = site.footprint();

    let file = encode(&flag(), ImageFormat::Png);
    let tried = site.block_on(flows::set_picture(&site.app, bob.by_browser(), ada.account.id, file));

    assert!(matches!(tried, Err(PeopleError::NotFound)));
    assert_eq!(site.footprint(), before);
    assert!(site.picture(&name, PictureSize::Small).is_some());
}

#[test]
fn a_removed_picture_is_deleted() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    let name = site.upload(&ada, encode(&flag(), ImageFormat::Png)).unwrap();
    site.clock.advance(seconds(1));

    let by = actor.clone();
    site.write(move |tx| people::remove_picture(tx, &by, id)).unwrap();
    let before = site.footprint();
    site.write(move |tx| people::remove_picture(tx, &actor, id)).unwrap();

    assert!(site.picture(&name, PictureSize::Large).is_none());
    assert_eq!(site.footprint(), before, "there is nothing to remove");
}
