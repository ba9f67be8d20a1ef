//! Few threads on a volume, in many orders.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use shuttle::thread;
use std::sync::{Arc, LazyLock};
use untorn::{Background, Error, File, NewFile, OpenOptions, Rename, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_explore::{Slow, explore, once};
use untorn_torture::disk::{Policy, SimDisk};

const BLOCK: u64 = 4096;
const NAMES: [&str; 3] = ["/a", "/b", "/c"];

/// A volume with three files of four blocks, full of 1, closed.
static TEMPLATE: LazyLock<MemoryDevice> = LazyLock::new(|| {
    let contents = mkfs::Contents::Zeroed;
    let result = Arc::new(std::sync::Mutex::new(None));
    let told = result.clone();
    once(move || {
        let device = Arc::new(MemoryDevice::new(32 << 20));
        mkfs::make(&*device, &mkfs::Options { contents, ..Default::default() }).unwrap();
        let volume = Volume::open(device.clone(), undisturbed()).unwrap();
        for name in NAMES {
            let file = volume.create_file(name, NewFile::default()).unwrap();
            file.write_atomic(0, &[1; 4 * BLOCK as usize], Sync::Visible).unwrap();
        }
        volume.close().unwrap();
        *told.lock().unwrap() = Some(device.snapshot());
    });
    let made = result.lock().unwrap().take();
    made.unwrap()
});

fn undisturbed() -> OpenOptions {
    OpenOptions { background: Background::Off, ..OpenOptions::default() }
}

/// A copy of the template, open.
struct Scene {
    disk: Arc<SimDisk>,
    volume: Volume,
}

impl Scene {
    fn new() -> Self {
        let disk = SimDisk::new(TEMPLATE.snapshot());
        let volume = Volume::open(Arc::new(Slow(disk.clone())), undisturbed()).unwrap();
        Self { disk, volume }
    }

    fn file(&self, name: &str) -> File {
        self.volume.open_file(name).unwrap()
    }

    /// Closes the volume; the checker finds nothing.
    fn judge(self) {
        self.volume.close().unwrap();
        let report = untorn_check::check(&*self.disk, &Default::default()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings.first());
    }
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    let count = file.read_at(0, &mut bytes).unwrap();
    bytes.truncate(count);
    bytes
}

/// Runs all of `bodies` as threads to their ends.
fn together(bodies: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = bodies.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn whole(byte: u8) -> Vec<u8> {
    vec![byte; 4 * BLOCK as usize]
}

#[test]
fn readers_see_atomic_writes_whole_in_every_order_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let writer = |byte: u8| {
            let file = scene.file("/a");
            Box::new(move || {
                file.write_atomic(0, &whole(byte), Sync::Visible).unwrap();
            }) as Box<dyn FnOnce() + Send>
        };
        let reader = |read: fn(&File, u64, &mut [u8]) -> untorn::Result<usize>| {
            let file = scene.file("/a");
            Box::new(move || {
                for _ in 0..2 {
                    let mut bytes = whole(0);
                    read(&file, 0, &mut bytes).unwrap();
                    assert!(bytes.iter().all(|&byte| byte == bytes[0] && byte > 0), "torn");
                }
            }) as Box<dyn FnOnce() + Send>
        };
        together(vec![writer(2), writer(3), reader(File::read_at), reader(File::read_cached)]);
        assert!(contents(&scene.file("/a"))[0] > 1);
        scene.judge();
    });
}

#[test]
fn blocks_kept_for_neighbours_leave_no_write_without_its_own_in_every_order_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let made = scene.file("/a");
        made.truncate(64 * BLOCK).unwrap();
        // Each begins in the blocks that are claimed with another's, or goes into them.
        let writes = [(20..40, 2), (45..46, 3), (50..52, 4), (60..64, 5)];
        let write = |(blocks, byte): (std::ops::Range<u64>, u8)| {
            let (file, length) = (scene.file("/a"), (blocks.end - blocks.start) * BLOCK);
            Box::new(move || {
                let bytes = vec![byte; length as usize];
                file.write_atomic(blocks.start * BLOCK, &bytes, Sync::Visible).unwrap();
            }) as Box<dyn FnOnce() + Send>
        };
        together(writes.iter().cloned().map(write).collect());
        let found = contents(&made);
        for (blocks, byte) in &writes {
            let part = &found[(blocks.start * BLOCK) as usize..(blocks.end * BLOCK) as usize];
            assert!(part.iter().all(|found| found == byte), "{blocks:?} is torn");
        }
        drop(made);
        scene.judge();
    });
}

#[test]
fn cached_and_atomic_writes_of_one_range_take_turns_in_every_order_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let (one, two, three) = (scene.file("/a"), scene.file("/a"), scene.file("/a"));
        together(vec![
            Box::new(move || one.write_cached(100, &[2; 9000], Sync::Durable).unwrap()),
            Box::new(move || two.write_atomic(100, &[3; 9000], Sync::Visible).unwrap()),
            Box::new(move || {
                three.punch_hole(2 * BLOCK..3 * BLOCK).unwrap();
                three.sync().unwrap();
            }),
        ]);
        let found = contents(&scene.file("/a"));
        let part = &found[100..2 * BLOCK as usize];
        assert!(part.iter().all(|&byte| byte == part[0] && [2, 3].contains(&byte)));
        scene.judge();
    });
}

#[test]
fn owners_are_locked_in_one_order_whoever_comes_first_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let files = || NAMES.map(|name| scene.file(name));
        let ([a, b, _], [c, d, e], [f, g, h]) = (files(), files(), files());
        let (volume, remover) = (scene.volume.clone(), scene.volume.clone());
        // A file that was removed meanwhile takes no more changes.
        let done = |done: untorn::Result<()>| {
            assert!(matches!(done, Ok(()) | Err(Error::NotRegular(_))), "{done:?}");
        };
        together(vec![
            Box::new(move || a.exchange_range(0, &b, 0, 4 * BLOCK).unwrap()),
            Box::new(move || d.exchange_range(0, &c, 0, 4 * BLOCK).unwrap()),
            Box::new(move || {
                let batch = volume.atomic().write(&h, 0, &[5; 100]).write(&f, 10, &[5; 100]);
                done(batch.write(&g, BLOCK, &[5; 5000]).commit(Sync::Visible));
            }),
            Box::new(move || {
                done(e.clone_range(BLOCK, &e, 0..BLOCK));
                remover.remove("/c").unwrap();
                drop(remover.create_file("/d", NewFile::default()).unwrap());
            }),
        ]);
        scene.judge();
    });
}

#[test]
fn changes_of_one_directory_take_turns_in_every_order_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Arc::new(Scene::new());
        let rename = |name: &'static str| {
            let scene = Arc::clone(&scene);
            Box::new(move || {
                let volume = &scene.volume;
                volume.rename(name, &format!("{name}-b"), Rename::NoReplace).unwrap();
                volume.rename(&format!("{name}-b"), &format!("{name}-c"), Rename::Replace).unwrap();
            }) as Box<dyn FnOnce() + Send>
        };
        together(NAMES.map(rename).into());
        let listed = scene.volume.read_dir("/").unwrap();
        let mut listed: Vec<_> = listed.iter().map(|entry| entry.name.to_vec()).collect();
        listed.sort();
        assert_eq!(listed, [b"a-c", b"b-c", b"c-c"]);
        let Ok(scene) = Arc::try_unwrap(scene) else { unreachable!("all threads have ended") };
        scene.judge();
    });
}

#[test]
fn durable_writes_that_share_a_flush_are_all_durable_when_they_return_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let writers = NAMES.iter().zip(2u8..).map(|(&name, byte)| {
            let (file, disk) = (scene.file(name), scene.disk.clone());
            Box::new(move || {
                match byte % 2 {
                    0 => file.write_atomic(0, &whole(byte), Sync::Durable).unwrap(),
                    _ => {
                        file.write_cached(0, &whole(byte), Sync::Visible).unwrap();
                        file.sync().unwrap();
                    }
                }
                // Had the power gone just now:
                let left = disk.durable_after(disk.event_count(), Policy::FlushedOnly, 1);
                let left: Arc<dyn BlockDevice> = Arc::new(left);
                let volume = Volume::open(left, undisturbed()).unwrap();
                assert!(contents(&volume.open_file(name).unwrap()) == whole(byte), "{name}");
                volume.abandon();
            }) as Box<dyn FnOnce() + Send>
        });
        together(writers.collect());
        scene.judge();
    });
}

#[test]
fn a_checkpoint_has_all_that_its_commits_put_off_in_every_order_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let writer = |name: &'static str| {
            let file = scene.file(name);
            Box::new(move || {
                for byte in 2..4 {
                    file.write_atomic(BLOCK, &[byte; BLOCK as usize], Sync::Visible).unwrap();
                }
            }) as Box<dyn FnOnce() + Send>
        };
        let (volume, disk) = (scene.volume.clone(), scene.disk.clone());
        let syncer = Box::new(move || {
            volume.sync().unwrap();
            // What a power cut would leave now is whole, whatever was committed meanwhile.
            let left = disk.durable_after(disk.event_count(), Policy::FlushedOnly, 1);
            let left: Arc<dyn BlockDevice> = Arc::new(left);
            Volume::open(left.clone(), undisturbed()).unwrap().close().unwrap();
            let report = untorn_check::check(&*left, &Default::default()).unwrap();
            assert!(report.is_clean(), "{:?}", report.findings.first());
        });
        together(vec![writer("/a"), writer("/a"), writer("/b"), syncer]);
        scene.judge();
    });
}

#[test]
fn writers_for_whom_there_is_not_enough_space_leave_all_of_it_check() {
    LazyLock::force(&TEMPLATE);
    explore(|| {
        let scene = Scene::new();
        let fill = scene.volume.create_file("/fill", NewFile::default()).unwrap();
        let available = scene.volume.space().unwrap().available;
        fill.allocate(0..(available - 10) * BLOCK, untorn::SizeRule::Grow).unwrap();
        let before = scene.volume.space().unwrap().available;
        let write = |name: &str, cached: bool| {
            let file = scene.file(name);
            Box::new(move || {
                for _ in 0..2 {
                    let done = match cached {
                        true => {
                            file.write_cached(8 * BLOCK, &[2; 3 * BLOCK as usize], Sync::Visible)
                        }
                        false => file.write_atomic(0, &whole(2), Sync::Visible),
                    };
                    assert!(matches!(done, Ok(()) | Err(Error::NoSpace { .. })), "{done:?}");
                }
            }) as Box<dyn FnOnce() + Send>
        };
        together(vec![
            write("/a", false),
            write("/b", false),
            write("/c", true),
            write("/a", true),
        ]);
        for name in NAMES {
            let file = scene.file(name);
            let found = contents(&file);
            assert!(found[..4 * BLOCK as usize].iter().all(|&byte| byte == found[0]), "{name}");
            file.truncate(4 * BLOCK).unwrap();
        }
        scene.volume.sync().unwrap();
        assert_eq!(scene.volume.space().unwrap().available, before, "space was lost");
        drop(fill);
        scene.judge();
    });
}
