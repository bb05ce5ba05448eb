//! The manual as pages in mdoc(7), from the same Markdown as the pages at `/help`.

use std::fmt::Write;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::manual::MANUAL;

/// The longest line of text, in bytes.
const LINE_MAX: usize = 78;

/// A page for each chapter of the manual: its name, such as `domicile-manual-tls`, and its text. `date`: the line with the date.
pub fn manual_chapters(date: &str) -> Vec<(String, String)> {
    MANUAL.iter().map(|(name, markdown)| (page_name(name), page(&page_name(name), markdown, date))).collect()
}

/// The name of the page of a chapter. The first one is that of the manual.
fn page_name(chapter: &str) -> String {
    if chapter == "index" { "domicile-manual".to_owned() } else { format!("domicile-manual-{chapter}") }
}

fn page(name: &str, markdown: &str, date: &str) -> String {
    let mut writer = Writer::default();
    Parser::new_ext(markdown, Options::ENABLE_TABLES).for_each(|event| writer.write(event));
    let Writer { page, title, .. } = writer;
    let others = if name == page_name("index") { "" } else { ".Xr domicile-manual 7 ,\n" };
    format!(
        "{date}\n.Dt {upper} 7\n.Os Domicile\n.Sh NAME\n.Nm {name}\n.Nd {title}\n.Sh DESCRIPTION\nThis is a part of the manual \
         of\n.Xr domicile 8 .\n{page}.Sh SEE ALSO\n{others}.Xr domicile 8\n",
        upper = name.to_uppercase()
    )
}

/// Writes a page while its Markdown is read.
struct Writer {
    page: String,
    title: String,
    /// The text of the paragraph, heading or cell that is being read.
    text: String,
    /// Where the link that is being read leads.
    target: String,
    is_code: bool,
    /// Whether a paragraph needs a blank line before it.
    follows_block: bool,
    header: Vec<String>,
    row: Vec<String>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            page: String::new(),
            title: String::new(),
            text: String::new(),
            target: String::new(),
            is_code: false,
            follows_block: true,
            header: Vec::new(),
            row: Vec::new(),
        }
    }
}

impl Writer {
    fn write(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code => self.code(&text),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text.push_str(&escaped(&text)),
            Event::Code(code) => {
                let _ = write!(self.text, "\\(oq{}\\(cq", escaped(&code).replace('-', "\\-"));
            }
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            // The text of an item may be followed by a block that belongs to it.
            Tag::List(first) => {
                self.paragraph();
                self.page.push_str(if first.is_some() { ".Bl -enum\n" } else { ".Bl -bullet\n" });
            }
            Tag::Item => {
                self.page.push_str(".It\n");
                self.follows_block = false;
            }
            Tag::CodeBlock(_) => {
                self.paragraph();
                self.page.push_str(".Bd -literal -offset indent\n");
                self.is_code = true;
            }
            Tag::Table(_) => self.page.push_str(".Bl -tag -width Ds\n"),
            Tag::Link { dest_url, .. } => self.target = dest_url.to_string(),
            Tag::Strong | Tag::Emphasis => self.text.push_str("\\fB"),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(HeadingLevel::H1) => self.title = std::mem::take(&mut self.text),
            TagEnd::Heading(level) => {
                let section = if level == HeadingLevel::H2 { ".Sh" } else { ".Ss" };
                let _ = writeln!(self.page, "{section} {}", arguments(&std::mem::take(&mut self.text)));
                self.follows_block = false;
            }
            TagEnd::Paragraph | TagEnd::Item => self.paragraph(),
            TagEnd::List(_) => {
                self.page.push_str(".El\n");
                self.follows_block = true;
            }
            TagEnd::CodeBlock => {
                self.page.push_str(".Ed\n");
                self.is_code = false;
                self.follows_block = true;
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead => self.header = std::mem::take(&mut self.row),
            TagEnd::TableRow => self.table_row(),
            TagEnd::Table => {
                self.page.push_str(".El\n");
                self.follows_block = true;
            }
            TagEnd::Link => self.link(),
            TagEnd::Strong | TagEnd::Emphasis => self.text.push_str("\\fP"),
            _ => {}
        }
    }

    /// Ends a paragraph, if there is one.
    fn paragraph(&mut self) {
        if self.text.is_empty() {
            return;
        }
        if self.follows_block {
            self.page.push_str(".Pp\n");
        }
        self.page.push_str(&lines_of(&std::mem::take(&mut self.text)));
        self.follows_block = true;
    }

    fn code(&mut self, code: &str) {
        for line in code.lines() {
            let line = escaped(line).replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
            let _ = writeln!(self.page, "{}", protected(&line));
        }
    }

    /// A row is an item: its first cell, and the others with their headers, because wide tables break on terminals.
    fn table_row(&mut self) {
        let cells = std::mem::take(&mut self.row);
        let (first, others) = cells.split_first().map_or(("", &[][..]), |(first, others)| (first.as_str(), others));
        let _ = writeln!(self.page, ".It {}", arguments(first));
        let named = self.header.iter().skip(1).zip(others);
        let text = match others {
            [only] => only.clone(),
            _ => named.map(|(name, cell)| format!("{name}: {cell}")).collect::<Vec<_>>().join("; "),
        };
        self.page.push_str(&lines_of(&text));
    }

    /// Adds where the link leads, if that is not its text.
    fn link(&mut self) {
        let target = std::mem::take(&mut self.target);
        let file = target.split('#').next().unwrap_or_default();
        let shown = match file.strip_suffix(".md") {
            Some(chapter) => format!("{}(7)", page_name(chapter)),
            None => target,
        };
        let shown = escaped(&shown).replace('-', "\\-");
        if !shown.is_empty() && !self.text.ends_with(&shown) {
            let _ = write!(self.text, " ({shown})");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
}

/// A line that no reader takes for a macro.
fn protected(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

/// Words after a macro, of which none is taken for a macro itself or for punctuation.
fn arguments(text: &str) -> String {
    let word = |word: &str| {
        let may_mean_more = word.len() <= 2 || !word.starts_with(char::is_alphanumeric);
        let word = word.replace('"', "\\(dq");
        if may_mean_more { format!("\\&{word}") } else { word }
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Text as lines: each sentence begins one, and none is too long.
fn lines_of(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    let mut end = |line: &mut String| {
        let _ = writeln!(lines, "{}", protected(line));
        line.clear();
    };
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > LINE_MAX {
            end(&mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if word.ends_with(['.', '!', '?']) || word.ends_with(".)") {
            end(&mut line);
        }
    }
    if !line.is_empty() {
        end(&mut line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chapter_is_a_page() {
        let markdown = "# A `b` c\n\nOne. Two [x](tls.md#a) and\n.three.\n\n## In all\n\n- a `-b`\n\n  ```sh\n  .c -d\n  ```\n- e\n\n|k|v|\n|-|-|\n|No|w|\n\n|k|v|u|\n|-|-|-|\n|a|b|c|\n";

        let text = page("domicile-manual-x", markdown, ".Dd May 3, 2026");

        let expected = [
            ".Nm domicile-manual-x\n.Nd A \\(oqb\\(cq c\n",
            ".Pp\nOne.\nTwo x (domicile\\-manual\\-tls(7)) and .three.\n",
            ".Sh \\&In all\n.Bl -bullet\n.It\na \\(oq\\-b\\(cq\n.Bd -literal -offset indent\n\\&.c \\-d\n.Ed\n.It\ne\n.El\n",
            ".Bl -tag -width Ds\n.It \\&No\nw\n.El\n",
            ".It \\&a\nv: b; u: c\n",
        ];
        for part in expected {
            assert!(text.contains(part), "{part}is not in\n{text}");
        }
    }
}
