//! Where the code of a Chalice app lies, and what of it goes into the functions' zip and into a layer.

use std::collections::BTreeMap;
use std::path::Path;

use super::config::Dependencies;
use crate::app::events::Layer;
use crate::app::{Architecture, Code, Part, Reach, Source};

/// Name of the source of all functions.
pub const APP: &str = "app";

/// Name of the layer that is made of the dependencies, and of its source.
pub const LAYER: &str = "managed-layer";

/// Folders of a project that go into the functions' zip or a layer.
pub const PACKAGED: [&str; 2] = ["chalicelib", "vendor"];

/// Where an app's code lies.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The project.
    pub project: &'a Path,
    /// Its dependencies, installed for Lambda.
    pub packages: &'a Path,
    /// Packages of the machine that reads the app: Chalice is among them.
    pub host: &'a Path,
}

/// The layer of an app whose dependencies go there; `None` where it has none: Lambda takes no empty layer.
pub fn layer(
    places: Places<'_>,
    dependencies: Dependencies,
    (python, architecture): (&str, Architecture),
) -> Option<Layer> {
    let vendor = places.project.join("vendor");
    let is_made = match dependencies {
        Dependencies::Beside => false,
        Dependencies::Layer => has_content(places.packages) || has_content(&vendor),
    };
    is_made.then(|| Layer {
        name: LAYER.to_owned(),
        source: LAYER.to_owned(),
        runtime: format!("python{python}"),
        architecture,
    })
}

fn has_content(folder: &Path) -> bool {
    let entries = walkdir::WalkDir::new(folder).follow_links(true).into_iter().flatten();
    let mut files = entries.filter(|entry| entry.file_type().is_file());
    files.any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0))
}

/// The sources of an app, by name: its functions' one, and its layer's.
///
/// Parts are in Chalice's order: dependencies, Chalice's two runtime files, the app, vendored packages.
pub fn sources(places: Places<'_>, layer: Option<&Layer>) -> BTreeMap<String, Source> {
    let Some(layer) = layer else {
        let parts = [dependencies(places, ""), own(places), vendored(places, "")].concat();
        return BTreeMap::from([(APP.to_owned(), source(parts))]);
    };
    let prefix = format!("python/lib/{}/site-packages/", layer.runtime);
    let below = [dependencies(places, &prefix), vendored(places, &prefix)].concat();
    BTreeMap::from([
        (APP.to_owned(), source(own(places))),
        (layer.source.clone(), source(below)),
    ])
}

fn source(parts: Vec<Part>) -> Source {
    Source {
        build: None,
        code: Code::Parts(parts),
    }
}

fn part(from: &Path, into: &str, reach: Reach) -> Part {
    Part {
        from: from.to_owned(),
        into: into.to_owned(),
        reach,
    }
}

fn dependencies(places: Places<'_>, into: &str) -> Vec<Part> {
    vec![part(places.packages, into, Reach::Anywhere)]
}

fn own(places: Places<'_>) -> Vec<Part> {
    let reach = || Reach::Project(places.project.to_owned());
    let runtime = ["chalice/__init__.py", "chalice/app.py"];
    let mut parts: Vec<Part> = runtime
        .iter()
        .map(|name| part(&places.host.join(name), name, Reach::Anywhere))
        .collect();
    parts.push(part(&places.project.join("app.py"), "app.py", reach()));
    parts.extend(folder(places, "chalicelib", "chalicelib/"));
    parts
}

fn vendored(places: Places<'_>, into: &str) -> Vec<Part> {
    folder(places, "vendor", into)
}

fn folder(places: Places<'_>, name: &str, into: &str) -> Vec<Part> {
    let from = places.project.join(name);
    let reach = || Reach::Project(places.project.to_owned());
    from.is_dir().then(|| part(&from, into, reach())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
    }

    struct World {
        project: tempfile::TempDir,
        packages: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let [project, packages] = [(), ()].map(|()| tempfile::tempdir().unwrap());
            file(project.path(), "chalicelib/__init__.py", "");
            Self { project, packages }
        }

        fn places(&self) -> Places<'_> {
            Places {
                project: self.project.path(),
                packages: self.packages.path(),
                host: Path::new("/host"),
            }
        }

        fn layer(&self, dependencies: Dependencies) -> Option<Layer> {
            layer(self.places(), dependencies, ("3.12", Architecture::Arm64))
        }

        fn entries(&self, layer: Option<&Layer>) -> Vec<(String, Vec<String>)> {
            let sources = sources(self.places(), layer).into_iter();
            let entries = sources.map(|(name, source)| match source.code {
                Code::Parts(parts) => (name, parts.into_iter().map(|part| part.into).collect()),
                Code::Zip(_) => panic!("a Chalice app is no zip"),
            });
            entries.collect()
        }
    }

    #[test]
    fn dependencies_and_vendored_packages_leave_the_functions_zip_for_the_layer() {
        let world = World::new();
        file(world.packages.path(), "idna/core.py", "x = 1");
        file(world.project.path(), "vendor/own.py", "x = 1");
        assert_eq!(world.layer(Dependencies::Beside), None);
        let made = world.layer(Dependencies::Layer).unwrap();
        assert_eq!(
            (made.runtime.as_str(), made.architecture),
            ("python3.12", Architecture::Arm64)
        );
        let own = ["chalice/__init__.py", "chalice/app.py", "app.py", "chalicelib/"];
        let below = ["python/lib/python3.12/site-packages/"; 2];
        let expected = [
            ("app".to_owned(), own.map(str::to_owned).to_vec()),
            ("managed-layer".to_owned(), below.map(str::to_owned).to_vec()),
        ];
        assert_eq!(world.entries(Some(&made)), expected);
    }

    #[test]
    fn an_app_that_depends_on_nothing_has_no_layer() {
        let world = World::new();
        file(world.packages.path(), "empty/__init__.py", "");
        assert_eq!(world.layer(Dependencies::Layer), None);
        file(world.project.path(), "vendor/own.py", "x = 1");
        assert!(world.layer(Dependencies::Layer).is_some());
    }

    #[test]
    fn without_a_layer_everything_is_beside_the_app_and_vendored_packages_win() {
        let world = World::new();
        file(world.project.path(), "vendor/own.py", "x = 1");
        let parts = ["", "chalice/__init__.py", "chalice/app.py", "app.py", "chalicelib/", ""];
        let expected = [("app".to_owned(), parts.map(str::to_owned).to_vec())];
        assert_eq!(world.entries(None), expected);
    }
}
