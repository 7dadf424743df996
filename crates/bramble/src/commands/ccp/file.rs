//! The file of a cluster on a platform, with all that it names.

use super::wrong;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_ccp::{Access, File, Order, TemplateSource};
use bramble_secret::Secret;
use std::path::{Path, PathBuf};

/// Longest file of settings, template or certificates, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// A file and what every command needs of what it names.
pub struct Loaded {
    /// The file.
    pub file: File,
    /// How the platform is reached.
    pub access: Access,
    /// Where the kubeconfig goes.
    pub kubeconfig: PathBuf,
    path: PathBuf,
}

/// Reads the file and what it names. Paths in it are relative to it.
pub fn load(path: &Path, printer: &Printer) -> Result<Loaded, CliError> {
    let file = File::parse(&read(path)?).map_err(|error| wrong(path, &error))?;
    let place = |named: &str| beside(path, named);
    let authorities = file.ca_file.as_deref().map(|named| read(&place(named)));
    let access = Access {
        url: file.url.clone(),
        version: file.version,
        username: file.username.clone(),
        password: password(&place(&file.password_file), printer)?,
        authorities: authorities.transpose()?,
    };
    Ok(Loaded {
        kubeconfig: place(&file.kubeconfig),
        access,
        path: path.to_owned(),
        file,
    })
}

impl Loaded {
    /// What is asked of the platform. Only who makes a cluster needs the template.
    pub fn order(&self) -> Result<Order, CliError> {
        let (place, template) = match &self.file.template {
            TemplateSource::Here(template) => (self.path.clone(), template.clone()),
            TemplateSource::File(named) => {
                let place = beside(&self.path, named);
                let text = read(&place)?;
                let parsed = serde_json::from_str(&text).map_err(|error| {
                    CliError::usage(format!("{} is no JSON: {error}", place.display()))
                });
                (place, parsed?)
            }
        };
        Order::of(&self.file, &template).map_err(|error| wrong(&place, &error))
    }
}

fn beside(path: &Path, named: &str) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new("."));
    folder.join(crate::context::expand(named))
}

fn read(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let failed =
        |error: &dyn std::fmt::Display| CliError::usage(format!("can't read {shown}: {error}"));
    let meta = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !meta.is_file() || meta.len() > LONGEST {
        return Err(failed(&format!(
            "this is no file of at most {LONGEST} bytes"
        )));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

fn password(path: &Path, printer: &Printer) -> Result<Secret, CliError> {
    crate::secrets::line(path, "password for the platform", printer).map_err(|why| {
        CliError::usage(format!("{}: {why}", path.display())).hint(
            "put the password into a file of its own, one line, readable by you alone (chmod 600)",
        )
    })
}
