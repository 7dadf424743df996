//! `bramble login` and `logout`.

use super::{Remote, away, client, refused, servers};
use crate::args::{Global, LoginArgs};
use crate::ask;
use crate::error::{CliError, Explain};
use crate::files;
use crate::printer::Printer;
use bramble_secret::Secret;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// Logs in at a daemon with name and password, makes a token, and remembers that.
pub async fn log_in(args: &LoginArgs, printer: &Printer) -> Result<(), CliError> {
    let url = servers::normal(&args.url)?;
    let authority = match &args.ca {
        Some(path) => {
            Some(std::fs::read_to_string(path).explain(format!("can't read {}", path.display()))?)
        }
        None => servers::find(&url)?.and_then(|known| known.authority),
    };
    let client = client(authority.as_deref())?;
    let name = match &args.user {
        Some(name) => name.clone(),
        None => asked(inquire::Text::new("Name:").prompt(), "--user")?,
    };
    let password = password(args)?;
    let post = |path: &str, body: Value| {
        let request = client.request(Method::POST, format!("{url}/api/v1{path}"));
        request.header(ORIGIN, &url).json(&body)
    };
    let login = json!({ "name": name, "password": password.expose() });
    let answer = post("/login", login).send().await;
    let answer = refused(answer.map_err(|e| away(&url, &e))?).await?;
    let cookie = cookie(&answer)
        .ok_or_else(|| CliError::failed(format!("{url} lets in without a cookie")))?;
    let me: Value = answer.json().await.map_err(|e| away(&url, &e))?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let label = format!("bramble login on {}", host.trim());
    let wish = json!({ "label": label, "role": me["role"] });
    let made = post("/tokens", wish).header(COOKIE, cookie.expose()).send();
    let made = refused(made.await.map_err(|e| away(&url, &e))?).await?;
    let made: Value = made.json().await.map_err(|e| away(&url, &e))?;
    let Some(token) = made["token"].as_str() else {
        return Err(CliError::failed(format!("{url} gives no token")));
    };
    // The session was for this alone.
    let ended = post("/logout", Value::Null).header(COOKIE, cookie.expose());
    if let Err(error) = ended.send().await {
        printer.warn(format!("the session at {url} goes on: {error}"));
    }
    let token = token.to_owned();
    servers::remember(&url, Some(servers::Known { authority, token }))?;
    if printer.json() {
        printer.value(&json!({ "server": url, "user": name, "role": me["role"] }));
    } else {
        printer.out(format!("logged in at {url} as {name}"));
        printer.out(format!(
            "use it      bramble --server {url} --cluster NAME status"
        ));
    }
    Ok(())
}

/// Forgets a daemon, and has it forget the token.
pub async fn log_out(global: &Global, url: &str, printer: &Printer) -> Result<(), CliError> {
    let url = servers::normal(url)?;
    let mut global = global.clone();
    global.server = Some(url.clone());
    let Some(known) = servers::find(&url)? else {
        printer.out(format!("nobody is logged in at {url}: nothing to do"));
        return Ok(());
    };
    if let Some(remote) = Remote::of(&global)?
        && let Some(id) = known.token.split('_').nth(1)
    {
        let path = format!("/tokens/{id}");
        if let Err(error) = remote.send(Method::DELETE, &path, &Value::Null).await {
            printer.warn(format!("{url} still knows the token: {}", error.message));
        }
    }
    servers::remember(&url, None)?;
    printer.out(format!("logged out at {url}"));
    Ok(())
}

fn password(args: &LoginArgs) -> Result<Secret, CliError> {
    if let Some(path) = &args.password_file {
        let text = files::read_secret(path)?;
        let text =
            text.ok_or_else(|| CliError::usage(format!("there is no file {}", path.display())))?;
        return Ok(Secret::new(text.expose().trim_end_matches(['\r', '\n'])));
    }
    let prompt = inquire::Password::new("Password:").without_confirmation();
    asked(prompt.prompt(), "--password-file").map(Secret::new)
}

/// What somebody typed; names the option where nobody is there to be asked.
fn asked(answer: Result<String, inquire::InquireError>, option: &str) -> Result<String, CliError> {
    match answer {
        Err(inquire::InquireError::NotTTY) => {
            Err(CliError::usage("there is no terminal to ask at").hint(format!("say {option}")))
        }
        answer => answer.map_err(ask::unanswered),
    }
}

/// The session's cookie, as it is sent back.
fn cookie(answer: &Response) -> Option<Secret> {
    let set = answer.headers().get(SET_COOKIE)?.to_str().ok()?;
    let pair = set.split(';').next()?;
    Some(Secret::new(pair))
}
