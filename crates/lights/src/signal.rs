//! What sources say, in one form.

use crate::lights::Lights;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use utoipa::ToSchema;

/// Longest name that Kubernetes gives (a DNS subdomain, RFC 1123), in characters.
const NAME: usize = 253;

/// Characters kept of a text for people.
const TEXT: usize = 200;

/// Who says it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The API of a cluster, watched.
    Watch,
    /// The webhook of kubewatch.
    Kubewatch,
    /// The webhook of Alertmanager.
    Alertmanager,
    /// Bramble's own runs.
    Bramble,
    /// Lights of a daemon, followed.
    Daemon,
}

impl Source {
    /// Those that give signals, which rules are for.
    pub const ALL: [Source; 4] = [
        Source::Watch,
        Source::Kubewatch,
        Source::Alertmanager,
        Source::Bramble,
    ];

    /// Its name, as rules say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Watch => "watch",
            Source::Kubewatch => "kubewatch",
            Source::Alertmanager => "alertmanager",
            Source::Bramble => "bramble",
            Source::Daemon => "daemon",
        }
    }
}

/// Something that a source said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// Who says it.
    pub source: Source,
    /// Kind of the object that it is about: `Node`, `Pod`, `Alert`, `Run`; empty where nobody says.
    pub kind: String,
    /// What is the case: `NotReady`, `CrashLoopBackOff`, an alert's name, `Failed`.
    pub reason: String,
    /// Namespace of the object; empty if it has none.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// How bad it is by the word of its source, in lower case: `critical`, `warning`, `info`, ...
    pub severity: String,
    /// Whether it is the case until somebody says otherwise, or has just happened.
    pub lasting: bool,
    /// What makes it the same when it is said again, where that is not the object and the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The group that its source tells it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// From when on its time counts: when it was heard, unless the source's own clock can be trusted.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In words, for people.
    pub text: String,
}

/// What makes two signals the same condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Who says it.
    pub source: Source,
    /// Unique for the source.
    pub id: String,
}

impl Signal {
    /// Something that has just happened to an object.
    pub fn passing(source: Source, kind: &str, reason: &str, at: Timestamp) -> Self {
        Self {
            source,
            kind: clean(kind, NAME),
            reason: clean(reason, NAME),
            namespace: String::new(),
            name: String::new(),
            severity: "info".into(),
            lasting: false,
            id: None,
            group: None,
            at,
            text: String::new(),
        }
    }

    /// Something that is the case until its source says otherwise.
    pub fn lasting(source: Source, kind: &str, reason: &str, at: Timestamp) -> Self {
        Self {
            lasting: true,
            ..Self::passing(source, kind, reason, at)
        }
    }

    /// About this object.
    #[must_use]
    pub fn of(mut self, namespace: &str, name: &str) -> Self {
        self.namespace = clean(namespace, NAME);
        self.name = clean(name, NAME);
        self
    }

    /// With this severity.
    #[must_use]
    pub fn severity(mut self, word: &str) -> Self {
        self.severity = clean(word, NAME).to_lowercase();
        self
    }

    /// In these words.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = clean(text, TEXT);
        self
    }

    /// The same as others with this id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(short(id));
        self
    }

    /// Told in this group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(short(group));
        self
    }

    /// What makes it the same when it is said again.
    pub fn key(&self) -> Key {
        let id = match &self.id {
            Some(id) => id.clone(),
            // Kubernetes allows no slash in any of them, so no two objects get one id.
            None => [&*self.kind, &*self.namespace, &*self.name, &*self.reason].join("/"),
        };
        Key {
            source: self.source,
            id,
        }
    }
}

/// What a source can speak of as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One condition.
    One(Key),
    /// One object.
    Object {
        /// Who speaks.
        source: Source,
        /// Kind of the object.
        kind: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// All objects of a kind.
    Kind {
        /// Who speaks.
        source: Source,
        /// The kind.
        kind: String,
    },
    /// A group of alerts.
    Group {
        /// Who speaks.
        source: Source,
        /// The group.
        group: String,
    },
}

impl Scope {
    /// The object of a signal.
    pub fn object(signal: &Signal) -> Self {
        Scope::Object {
            source: signal.source,
            kind: signal.kind.clone(),
            namespace: signal.namespace.clone(),
            name: signal.name.clone(),
        }
    }

    /// A group of alerts.
    pub fn group(source: Source, group: &str) -> Self {
        Scope::Group {
            source,
            group: short(group),
        }
    }

    /// Who speaks.
    pub fn source(&self) -> Source {
        match self {
            Scope::One(key) => key.source,
            Scope::Object { source, .. }
            | Scope::Kind { source, .. }
            | Scope::Group { source, .. } => *source,
        }
    }

    /// Whether it speaks of that signal.
    pub fn holds(&self, signal: &Signal) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        self.source() == signal.source
            && match self {
                Scope::One(key) => *key == signal.key(),
                Scope::Object {
                    kind,
                    namespace,
                    name,
                    ..
                } => {
                    same(kind, &signal.kind)
                        && *namespace == signal.namespace
                        && *name == signal.name
                }
                Scope::Kind { kind, .. } => same(kind, &signal.kind),
                Scope::Group { group, .. } => signal.group.as_ref() == Some(group),
            }
    }
}

/// What the lights hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A signal.
    Signal(Signal),
    /// All that is the case within a scope: what was and isn't named has gone.
    Whole {
        /// What is spoken of.
        scope: Scope,
        /// What is the case there.
        signals: Vec<Signal>,
    },
    /// What lights elsewhere show: these show it as well.
    Elsewhere {
        /// Whose they are.
        whose: String,
        /// What they show; nothing where they are none of these any more.
        lights: Option<Box<Lights>>,
    },
    /// A source is there and sees all that it should.
    Alive(Source),
    /// Somebody has seen it: no more beeps for what is the case now.
    Acknowledge,
    /// Somebody wants to see all lamps.
    Play(crate::sequence::Play),
}

/// One line without control characters or turns of the writing direction, at most so many characters: it is
/// shown on terminals.
fn clean(text: &str, most: usize) -> String {
    let fine = |c: char| match c {
        c if c.is_control() => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        c => c,
    };
    text.trim().chars().take(most).map(fine).collect()
}

/// What names something for programs, in bounded room: of what is longer a part, and a hash of the whole.
fn short(text: &str) -> String {
    if text.chars().count() <= NAME {
        return clean(text, NAME);
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{}~{:016x}", clean(text, NAME / 2), hasher.finish())
}
