//! YAML text to a tree whose every key and value knows its place.
//!
//! Wraps the parser, so that another one could take its place. Anchors and aliases are resolved,
//! `<<` merges, duplicate keys reported; scalars are typed by YAML 1.2's core schema.

mod fault;
mod scalar;

pub(crate) use scalar::is_plain_text;

use crate::problem::{Place, Problem};
use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle, Tag};
use std::collections::HashMap;

/// Nodes at most, aliases expanded: far more than 1000 machines need, and a bound on alias bombs.
const MAX_NODES: usize = 200_000;
/// Bytes at most.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub place: Place,
    pub extent: Extent,
    pub data: Data,
}

/// What of the text a value takes, in bytes, for those who change the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub start: usize,
    /// Behind its last character; comments and blank lines after it don't belong to it.
    pub end: usize,
    /// Written with brackets or braces.
    pub flow: bool,
    /// An alias: the text of the value stands elsewhere.
    pub alias: bool,
}

impl Extent {
    fn of(span: &Span) -> Self {
        let at = |marker: &Marker| marker.byte_offset().unwrap_or_default();
        Self {
            start: at(&span.start),
            end: at(&span.end),
            ..Self::default()
        }
    }

    /// A collection that ends with its brackets, or with the last of its parts.
    fn around(start: &Span, end: &Span, style: StructureStyle, last: usize) -> Self {
        let flow = style == StructureStyle::Flow;
        let own = Self::of(start);
        Self {
            end: match flow {
                true => Self::of(end).end,
                false => last.max(own.start),
            },
            flow,
            ..own
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Null,
    /// Stands where something wrong was, which is reported already.
    Broken,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_place: Place,
    pub value: Node,
}

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The value as JSON. Numbers that JSON can't hold become null.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Null | Data::Broken => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Int(i) => Value::from(*i),
            Data::Float(f) => Value::from(*f),
            Data::Text(t) => Value::String(t.clone()),
            Data::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Data::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.data {
            Data::Null | Data::Broken => "nothing".into(),
            Data::Bool(b) => format!("`{b}` (true or false)"),
            Data::Int(i) => format!("the number {i}"),
            Data::Float(f) => format!("the number {f}"),
            Data::Text(t) => format!("the text `{}`", shorten(t)),
            Data::List(_) => "a list".into(),
            Data::Map(_) => "a section with keys".into(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Node::size).sum(),
            Data::Map(entries) => entries.iter().map(|e| e.value.size()).sum(),
            _ => 0,
        }
    }
}

/// A value short enough for a message, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(60)
        .collect();
    if text.chars().count() > 60 {
        format!("{line}...")
    } else {
        line
    }
}

/// Parses a file with one document.
///
/// Returns the tree, if there is one, and the problems found on the way (duplicate keys, a second
/// document, tags); a syntax error leaves no tree, because what follows it would be guesswork.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let start = Place {
        line: 1,
        column: 1,
        length: 1,
    };
    if text.len() > MAX_BYTES {
        let problem = Problem::new(
            "file-too-large",
            start,
            format!("the file has {} bytes", text.len()),
        )
        .hint(format!(
            "a cluster file has at most {MAX_BYTES} bytes; is this the right file?"
        ));
        return (None, vec![problem]);
    }
    let mut builder = Builder {
        lines: text.lines().collect(),
        problems: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut options = granit_parser::options! { emit_unresolved_aliases: true };
    options.set_emit_comments(false);
    let mut events = Parser::new_from_str_with_options(text, options);
    match builder.documents(&mut events) {
        Ok(root) => {
            let empty = root.as_ref().is_none_or(|node| node.data == Data::Null);
            if empty && builder.problems.is_empty() {
                builder.problems.push(
                    Problem::new("empty-file", start, "the file describes nothing").hint(
                        "begin with `apiVersion: bramble.dev/v1alpha1`, `kind: Cluster`, `metadata: {name: ...}` and `spec:` with `machines:`",
                    ),
                );
            }
            (root.filter(|_| !empty), builder.problems)
        }
        Err(problem) => {
            builder.problems.push(problem);
            (None, builder.problems)
        }
    }
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;

struct Builder<'a> {
    lines: Vec<&'a str>,
    problems: Vec<Problem>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn documents(&mut self, events: &mut Events<'a>) -> Result<Option<Node>, Problem> {
        let mut root: Option<Node> = None;
        let mut documents = 0;
        while let Some((event, span)) = self.next(events)? {
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents == 2 {
                        self.problems.push(
                            Problem::new(
                                "several-documents",
                                self.place(&span),
                                "a second YAML document begins here",
                            )
                            .hint("one file describes one cluster: put the other document into a file of its own"),
                        );
                        break;
                    }
                    self.anchors.clear();
                }
                event => root = Some(self.node(events, event, span)?),
            }
        }
        Ok(root)
    }

    fn next(&mut self, events: &mut Events<'a>) -> Result<Option<(Event<'a>, Span)>, Problem> {
        loop {
            match events.next_event() {
                None => return Ok(None),
                Some(Err(error)) => return Err(fault::problem(&self.lines, &error)),
                Some(Ok((Event::Anchor(..), _))) => {}
                Some(Ok(pair)) => return Ok(Some(pair)),
            }
        }
    }

    /// The next event inside a collection, where the stream can't end without a syntax error.
    fn inner(
        &mut self,
        events: &mut Events<'a>,
        open: &Span,
    ) -> Result<(Event<'a>, Span), Problem> {
        match self.next(events)? {
            Some(pair) => Ok(pair),
            None => Err(Problem::new(
                "yaml-syntax",
                self.place(open),
                "the file ends inside this section",
            )
            .hint("close it, or remove it")),
        }
    }

    fn node(
        &mut self,
        events: &mut Events<'a>,
        event: Event<'a>,
        span: Span,
    ) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.too_much(&span));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Scalar(text, style, _, tag) => {
                let data = self.scalar(&text, style, tag.as_deref(), &span);
                Node {
                    place: self.place(&span),
                    extent: Extent::of(&span),
                    data,
                }
            }
            Event::SequenceStart(style, _, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", &span);
                let mut items = Vec::new();
                let end = loop {
                    let (event, inner) = self.inner(events, &span)?;
                    if matches!(event, Event::SequenceEnd) {
                        break inner;
                    }
                    items.push(self.node(events, event, inner)?);
                };
                let last = items.last().map_or(0, |item: &Node| item.extent.end);
                Node {
                    place: self.collection(&span, &end, style),
                    extent: Extent::around(&span, &end, style, last),
                    data: Data::List(items),
                }
            }
            Event::MappingStart(style, _, tag) => {
                self.refuse_tag(tag.as_deref(), "map", &span);
                let (entries, end, last) = self.entries(events, &span)?;
                Node {
                    place: self.collection(&span, &end, style),
                    extent: Extent::around(&span, &end, style, last),
                    data: Data::Map(entries),
                }
            }
            Event::Alias(id) => {
                let place = self.place(&span);
                // An alias inside its own anchor finds nothing here.
                let Some(target) = self.anchors.get(&id) else {
                    return Err(Problem::new(
                        "yaml-alias",
                        place,
                        "this alias stands inside the value that it repeats",
                    )
                    .hint("write the value out"));
                };
                self.nodes += target.size();
                if self.nodes > MAX_NODES {
                    return Err(self.too_much(&span));
                }
                let mut node = target.clone();
                node.extent = Extent {
                    alias: true,
                    ..Extent::of(&span)
                };
                if !matches!(node.data, Data::List(_) | Data::Map(_)) {
                    node.place = place;
                }
                node
            }
            Event::UnresolvedAlias(name) => {
                self.problems.push(
                    Problem::new(
                        "yaml-alias",
                        self.place(&span),
                        format!("nothing above is named `&{}`", shorten(&name)),
                    )
                    .hint("an alias repeats a value that was marked earlier with `&name`; put text that begins with `*` in quotes"),
                );
                Node {
                    place: self.place(&span),
                    extent: Extent::of(&span),
                    data: Data::Broken,
                }
            }
            _ => {
                return Err(Problem::new(
                    "yaml-syntax",
                    self.place(&span),
                    "a value was expected here",
                )
                .hint("check the lines around it"));
            }
        };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    /// The entries of a section, its end, and where the last of them ends.
    fn entries(
        &mut self,
        events: &mut Events<'a>,
        open: &Span,
    ) -> Result<(Vec<Entry>, Span, usize), Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = 0;
        let mut seen: HashMap<String, Place> = HashMap::new();
        let mut merges: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.inner(events, open)?;
            if matches!(event, Event::MappingEnd) {
                for merge in merges {
                    self.merge(&mut entries, merge);
                }
                return Ok((entries, span, last));
            }
            let plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, _, _));
            let key_text = match &event {
                Event::Scalar(text, ..) => Some(text.to_string()),
                _ => None,
            };
            let key = self.node(events, event, span)?;
            let (event, inner) = self.inner(events, open)?;
            let mut value = self.node(events, event, inner)?;
            // A value that is absent has no characters of its own, and its key has.
            let has_text = value.extent.end > value.extent.start;
            last = match has_text {
                true => value.extent.end,
                false => key.extent.end,
            };
            let key_text = key_text.or(match key.data {
                Data::Text(text) => Some(text),
                _ => None,
            });
            let Some(text) = key_text else {
                self.problems.push(
                    Problem::new(
                        "yaml-key",
                        key.place,
                        "a key must be a word, not a list or section",
                    )
                    .hint("put text that begins with `{`, `[` or `*` in quotes"),
                );
                continue;
            };
            if value.data == Data::Null {
                // An absent value has no characters of its own to underline.
                value.place = key.place;
            }
            if plain && text == "<<" {
                merges.push(value);
                continue;
            }
            if let Some(first) = seen.get(&text) {
                self.problems.push(
                    Problem::new(
                        "duplicate-key",
                        key.place,
                        format!(
                            "`{}` appears a second time in the same section (first in line {})",
                            shorten(&text),
                            first.line
                        ),
                    )
                    .hint("only one of them can count: remove one, or join them")
                    .related(*first, "first here"),
                );
                continue;
            }
            seen.insert(text.clone(), key.place);
            entries.push(Entry {
                key: text,
                key_place: key.place,
                value,
            });
        }
    }

    /// Adds the keys of a `<<` value that the section doesn't have itself.
    fn merge(&mut self, entries: &mut Vec<Entry>, from: Node) {
        let sources = match from.data {
            Data::List(items) => items,
            _ => vec![from],
        };
        for source in sources {
            if source.data == Data::Broken {
                continue;
            }
            let Data::Map(more) = source.data else {
                self.problems.push(
                    Problem::new(
                        "yaml-merge",
                        source.place,
                        "`<<` takes a section, or a list of them",
                    )
                    .hint("write `<<: *name`, where `&name` marks a section above"),
                );
                continue;
            };
            for entry in more {
                if !entries.iter().any(|e| e.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Data {
        if let Some(tag) = tag {
            match tag.core_suffix() {
                Some("str") => return Data::Text(text.to_owned()),
                Some(_) => {}
                None if tag.original() == "!" => return Data::Text(text.to_owned()),
                None => self.refuse_tag(Some(tag), "str", span),
            }
        }
        if style == ScalarStyle::Plain || tag.is_some() {
            scalar::plain(text)
        } else {
            Data::Text(text.to_owned())
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: &Span) {
        let Some(tag) = tag else { return };
        if tag.core_suffix().is_some_and(|s| s == allowed) {
            return;
        }
        let place = span.tag_span().map_or(self.place(span), |s| self.place(&s));
        self.problems.push(
            Problem::new(
                "yaml-tag",
                place,
                format!("the tag `{}` means nothing here", shorten(&tag.original())),
            )
            .hint("remove the tag; put text that begins with `!` in quotes"),
        );
    }

    fn too_much(&self, span: &Span) -> Problem {
        Problem::new(
            "file-too-large",
            self.place(span),
            format!("the file has more than {MAX_NODES} values, aliases counted as often as they are used"),
        )
        .hint("a cluster file is far smaller; is this the right file?")
    }

    /// Where a span is, cut at the end of its first line.
    fn place(&self, span: &Span) -> Place {
        self.cut(span, &span.end, span.end.line() == span.start.line())
    }

    fn collection(&self, start: &Span, end: &Span, style: StructureStyle) -> Place {
        // A block's end is where the next thing begins.
        let one_line = style == StructureStyle::Flow && end.end.line() == start.start.line();
        self.cut(start, &end.end, one_line)
    }

    fn cut(&self, start: &Span, end: &Marker, one_line: bool) -> Place {
        let line = start.start.line().max(1);
        let column = start.start.col() + 1;
        let length = if one_line {
            end.col().saturating_sub(start.start.col())
        } else {
            self.rest_of_line(line, column)
        };
        let length = length.max(1);
        inside(
            &self.lines,
            Place {
                line,
                column,
                length,
            },
        )
    }

    /// Characters from a column to the end of the line, without a comment or trailing space.
    fn rest_of_line(&self, line: usize, column: usize) -> usize {
        let Some(text) = self.lines.get(line - 1) else {
            return 1;
        };
        let rest: String = text.chars().skip(column - 1).collect();
        let rest = rest.split(" #").next().unwrap_or_default();
        rest.trim_end().chars().count()
    }
}

/// Past the last line there is nothing to underline: the end of that line stands for it.
fn inside(lines: &[&str], place: Place) -> Place {
    if place.line <= lines.len() {
        return place;
    }
    Place {
        line: lines.len().max(1),
        column: lines.last().map_or(1, |line| line.chars().count() + 1),
        length: 1,
    }
}
