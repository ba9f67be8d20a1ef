//! Devices of the host as Linux shows them: who has them, block nodes, units of direct I/O.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use untorn_device::{
    Access, AlignedBuffer, BlockDevice, Caching, DeviceError, FileDevice, OpenOptions,
};
use untorn_torture::kernel::{
    self, LoopDevice, MkfsOptions, MountOptions, Mounted, Scratch, make_volume,
};

const SIZE: u64 = 32 << 20;

fn volume(scratch: &Scratch) -> anyhow::Result<PathBuf> {
    let path = scratch.image("volume");
    make_volume(&path, SIZE, &MkfsOptions::default())?;
    Ok(path)
}

fn refusal(path: &Path, access: Access) -> String {
    match FileDevice::open(path, access) {
        Err(error @ DeviceError::Busy(_)) => error.to_string(),
        other => panic!("not refused as busy: {other:?}"),
    }
}

#[test]
fn an_image_mounted_by_the_kernel_is_refused_with_the_mount_point_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let mounted = Mounted::new(&path).unwrap();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let message = refusal(&path, access);
        assert!(message.contains("is mounted by the kernel at"), "{message}");
        assert!(message.contains(&format!("umount {}", mounted.root().display())), "{message}");
    }
    let link = scratch.image("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(refusal(&link, Access::ReadWrite).contains("is mounted by the kernel at"));
    mounted.unmount().unwrap();
    FileDevice::open(&path, Access::ReadWrite).unwrap();
}

#[test]
fn an_image_on_an_unmounted_loop_device_is_read_but_not_written_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let attached = LoopDevice::attach(&path, &MountOptions::default()).unwrap();
    let message = refusal(&path, Access::ReadWrite);
    assert!(message.contains(&format!("losetup -d {}", attached.path().display())), "{message}");
    let mut sector = [0; 512];
    FileDevice::open(&path, Access::ReadOnly).unwrap().read_at(0, &mut sector).unwrap();
    assert_eq!(&sector[..4], b"XFSB");
    drop(attached);
    FileDevice::open(&path, Access::ReadWrite).unwrap();
}

#[test]
fn a_loop_device_on_its_way_out_is_waited_for_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let attached = LoopDevice::attach(&path, &MountOptions::default()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            drop(attached);
        });
        FileDevice::open(&path, Access::ReadWrite).unwrap();
    });
}

#[test]
fn a_block_node_is_used_in_its_own_sectors_and_held_alone_kernel() {
    if !kernel::demand() {
        return;
    }
    for sector_size in [512, 4096] {
        let scratch = Scratch::new().unwrap();
        let path = scratch.image("disk");
        fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
        let options = MountOptions { sector_size: Some(sector_size), ..MountOptions::default() };
        let node = LoopDevice::attach(&path, &options).unwrap();
        let device = FileDevice::open(node.path(), Access::ReadWrite).unwrap();
        let geometry = device.geometry();
        assert_eq!((geometry.size, geometry.sector_size), (SIZE, sector_size));
        assert_eq!(device.caching(), Caching::Direct);
        let message = refusal(node.path(), Access::ReadWrite);
        assert!(message.contains("is in use by another process"), "{message}");
        let alignment = geometry.memory_alignment as usize;
        let bytes = AlignedBuffer::copy_of(&[0xA5; 64 << 10], alignment);
        device.write_at(1 << 20, &bytes).unwrap();
        device.write_at(0, &[0x5A; 8192][..sector_size as usize]).unwrap();
        device.flush().unwrap();
        let image = fs::read(&path).unwrap();
        assert!(image[1 << 20..][..64 << 10] == *bytes);
        assert_eq!(image[..sector_size as usize], [0x5A; 8192][..sector_size as usize]);
        let before = fs::metadata(&path).unwrap().blocks();
        device.discard(1 << 20, 64 << 10).unwrap();
        device.flush().unwrap();
        assert_eq!(before - fs::metadata(&path).unwrap().blocks(), 128, "64 KiB given back");
    }
}

#[test]
fn smaller_sectors_than_the_nodes_are_refused_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let options = MountOptions { sector_size: Some(4096), ..MountOptions::default() };
    let node = LoopDevice::attach(&path, &options).unwrap();
    let open = OpenOptions::new(Access::ReadOnly).sector_size(512).open(node.path());
    let message = open.unwrap_err().to_string();
    assert!(message.contains("has sectors of 4096 bytes"), "{message}");
}

#[test]
fn a_mounted_block_node_is_refused_with_the_mount_point_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let mounted = Mounted::new(&path).unwrap();
    let node = mounted.device().unwrap();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let message = refusal(node, access);
        assert!(message.contains(&mounted.root().display().to_string()), "{message}");
    }
}

#[test]
fn a_block_node_that_we_hold_is_not_mounted_by_the_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = volume(&scratch).unwrap();
    let node = LoopDevice::attach(&path, &MountOptions::default()).unwrap();
    let device = FileDevice::open(node.path(), Access::ReadOnly).unwrap();
    let folder = scratch.image("folder");
    fs::create_dir(&folder).unwrap();
    let arguments = [Path::new("-o"), Path::new("ro"), node.path(), &folder];
    let mount = || std::process::Command::new("mount").args(arguments).output().unwrap();
    assert!(!mount().status.success());
    drop(device);
    assert!(mount().status.success());
    assert!(std::process::Command::new("umount").arg(&folder).status().unwrap().success());
}

#[test]
fn an_image_on_a_host_with_larger_units_goes_through_the_page_cache_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("host");
    let host = MkfsOptions { sector_size: 4096, ..MkfsOptions::default() };
    make_volume(&path, 64 << 20, &host).unwrap();
    let options = MountOptions { sector_size: Some(4096), ..MountOptions::default() };
    let mounted = Mounted::with(&path, &options).unwrap();
    let image = mounted.at("image");
    let small = FileDevice::create(&image, 1 << 20).unwrap();
    assert_eq!(small.caching(), Caching::Buffered);
    small.write_at(512, &[3; 512]).unwrap();
    small.flush().unwrap();
    drop(small);
    let large = OpenOptions::new(Access::ReadWrite).sector_size(4096).open(&image).unwrap();
    assert_eq!(large.caching(), Caching::Direct);
    let mut sector = [0; 4096];
    large.read_at(0, &mut sector).unwrap();
    assert_eq!((sector[511], sector[512], sector[1024]), (0, 3, 0));
}

#[test]
fn an_image_on_a_host_with_direct_io_is_reached_directly_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let device = FileDevice::create(scratch.image("image"), 1 << 20).unwrap();
    assert_eq!(device.caching(), Caching::Direct);
}
