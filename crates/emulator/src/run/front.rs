//! The front end: a listener per service and per tag, and what they route to.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, RwLock, Weak},
};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{backend::Backend, proxy, record::Id, traffic};
use crate::{Emulator, listen, policy, roles};

/// The permission to send a service requests.
pub const INVOKE: &str = "run.routes.invoke";

/// Who may send requests.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// No identity is asked for.
    pub public: bool,
    /// The URL answers nobody from outside: internal ingress, or the default URL is off.
    pub closed: bool,
    /// Audiences that an ID token may have.
    pub audiences: Vec<String>,
}

#[derive(Default)]
struct Routes {
    by_share: Vec<(Arc<Backend>, u64)>,
    by_tag: BTreeMap<String, Arc<Backend>>,
}

/// A service as its callers meet it.
pub struct Front {
    pub emulator: Weak<Emulator>,
    pub id: Id,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    routes: RwLock<Routes>,
    access: RwLock<Access>,
}

/// A tag's listener; dropping it closes the port.
pub struct TagFront {
    pub url: String,
    stop: CancellationToken,
}

impl Drop for TagFront {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Front {
    /// Listens on a free loopback port until `stop` is cancelled.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn open(emulator: Weak<Emulator>, id: Id, stop: CancellationToken) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let front = Arc::new(Self {
            emulator,
            id,
            url: format!("http://{}", listener.local_addr()?),
            routes: RwLock::default(),
            access: RwLock::default(),
        });
        listen(listener, Arc::clone(&front), None, stop);
        Ok(front)
    }

    /// A further listener that reaches only the tag's revision.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn open_tag(self: &Arc<Self>, tag: &str, stop: CancellationToken) -> io::Result<TagFront> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        listen(listener, Arc::clone(self), Some(tag.to_owned()), stop.clone());
        Ok(TagFront { url, stop })
    }

    pub fn route(&self, by_share: Vec<(Arc<Backend>, u64)>, by_tag: BTreeMap<String, Arc<Backend>>) {
        *super::write(&self.routes) = Routes { by_share, by_tag };
    }

    /// The revision that answers the next request.
    pub fn backend(&self, tag: Option<&str>) -> Option<Arc<Backend>> {
        let routes = super::read(&self.routes);
        match tag {
            Some(tag) => routes.by_tag.get(tag).cloned(),
            None => traffic::pick(&routes.by_share, fastrand::u64(..100)).cloned(),
        }
    }

    pub fn access(&self) -> Access {
        super::read(&self.access).clone()
    }

    /// Takes over who may call, from the service's fields and its policy.
    pub fn admit(&self, spec: &Value, policy: &Value) {
        let bindings = policy["bindings"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let everyone = policy::roles(bindings, |member| member == "allUsers");
        let everyone = everyone.iter().any(|role| roles::has(role, INVOKE));
        let custom = spec["customAudiences"].as_array().into_iter().flatten();
        let mut audiences: Vec<String> = custom.filter_map(|a| a.as_str().map(str::to_owned)).collect();
        audiences.push(self.url.clone());
        *super::write(&self.access) = Access {
            public: everyone || spec["invokerIamDisabled"].as_bool() == Some(true),
            closed: spec["defaultUriDisabled"].as_bool() == Some(true)
                || spec["ingress"]
                    .as_str()
                    .is_some_and(|i| i != "INGRESS_TRAFFIC_ALL"),
            audiences,
        };
    }
}

fn listen(listener: TcpListener, front: Arc<Front>, tag: Option<String>, stop: CancellationToken) {
    let tag: Option<Arc<str>> = tag.map(Into::into);
    tokio::spawn(listen::serve(listener, stop, move |request| {
        let (front, tag) = (Arc::clone(&front), tag.clone());
        async move { proxy::answer(&front, tag.as_deref(), request).await }
    }));
}
