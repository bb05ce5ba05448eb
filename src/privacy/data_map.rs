pub const TABLES: u8 = 0;
