//! Packages: apt-get, dpkg, pip.

use std::fs;

use super::server::serve;
use super::work::{Work, python, work};
use crate::harness::needs;

/// Three Debian packages, and a configuration with which apt knows no others.
pub(super) const DEBIAN: &str = r#"
    mkdir -p folder state/lists/partial etc/apt.conf.d etc/preferences.d
    touch status
    for name in one two three; do
        mkdir -p $name/DEBIAN $name/usr/share/pr
        head -c 1000000 /dev/urandom >$name/usr/share/pr/$name
        printf 'Package: pr-%s\nVersion: 1\nArchitecture: all\nMaintainer: me <me@example.org>\nDescription: test\n' \
            $name >$name/DEBIAN/control
        chmod -R go-w $name
        dpkg-deb --build --root-owner-group -Znone $name folder/pr-$name.deb
        cat $name/DEBIAN/control
        echo Filename: pr-$name.deb
        echo Size: $(stat -c %s folder/pr-$name.deb)
        echo SHA256: $(sha256sum folder/pr-$name.deb | cut -d ' ' -f 1)
        echo
    done >packages
    grep -v ^dpkg-deb: packages >folder/Packages
    cat >conf <<END
Dir "$PWD";
Dir::State "state";
Dir::State::status "$PWD/status";
Dir::Etc "etc";
Dir::Etc::sourcelist "$PWD/sources";
Dir::Bin::methods "/usr/lib/apt/methods";
APT::Sandbox::User "";
Acquire::http::Proxy "DIRECT";
Acquire::Languages "none";
Debug::NoLocking "true";
END"#;

/// Work with a server for the folder of packages; its address is in `../given/url`.
fn served(given: &str, rate: &'static str, script: &str) -> Work {
    let work = work(given, script);
    let given = work.folder.path().join("given");
    fs::write(given.join("url"), serve(&given.join("folder"), rate)).unwrap();
    work
}

#[test]
fn a_bar_for_what_apt_get_writes_on_the_channel() {
    needs(&["apt-get", "dpkg-deb", "pv"]);
    let script = r#"
        mkdir -p result cache/archives/partial
        echo "deb [trusted=yes] $(<../given/url) ./" >../given/sources
        export APT_CONFIG=$PWD/../given/conf
        apt-get -qq update 2>/dev/null
        apt-get install --yes --download-only -o Dir::Cache=$PWD/cache -o Dir::Cache::archives=archives \
            -o APT::Status-Fd=3 pr-one pr-two pr-three"#;
    let seen = served(DEBIAN, "2m", script)
        .result("cp cache/archives/*.deb result")
        .compared("apt");
    assert!(
        seen.stdout.contains("download only mode"),
        "{}",
        seen.stdout
    );
    assert_eq!(seen.rises("apt", None), "100");
}

#[test]
fn a_count_for_what_dpkg_writes_on_the_channel() {
    needs(&["dpkg", "dpkg-deb"]);
    let script = "
        mkdir -p result/var/lib/dpkg/{updates,info}
        touch result/var/lib/dpkg/status
        dpkg --force-not-root --root=$PWD/result --log=$PWD/log --status-fd 3 -i ../given/folder/*.deb";
    let seen = work(DEBIAN, script)
        .result("rm -r result/var/lib/dpkg/updates")
        .compared("dpkg");
    assert!(
        seen.stdout.contains("Setting up pr-two (1) ..."),
        "{}",
        seen.stdout
    );
    let reports = seen.reports("dpkg");
    let last = reports.last().unwrap();
    assert_eq!(last["progress"], 12, "{last}");
    assert_eq!(last["unit"], "steps");
}

#[test]
fn a_bar_for_a_download_of_pip() {
    needs(&[&python(), "pv"]);
    let wheel = r#"
        mkdir -p folder pr/pr-1.dist-info
        cd pr
        head -c 20000000 /dev/urandom >data
        printf 'Metadata-Version: 2.1\nName: pr\nVersion: 1\n' >pr-1.dist-info/METADATA
        printf 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >pr-1.dist-info/WHEEL
        touch pr-1.dist-info/RECORD
        $PYTHON -m zipfile -c ../folder/pr-1-py3-none-any.whl data pr-1.dist-info/
        echo '<a href="pr-1-py3-none-any.whl">pr</a>' >../folder/index.html"#;
    let script = "
        $PYTHON -m pip --isolated --disable-pip-version-check download --no-deps --no-cache-dir --progress-bar=raw \\
            --no-index --find-links $(<../given/url)/ --dest result pr";
    let seen = served(wheel, "16m", script).compared("pip");
    assert!(
        seen.stdout.contains("Successfully downloaded pr"),
        "{}",
        seen.stdout
    );
    seen.rises("pip", None);
}
