//! Who is connected to an address, as the kernel tells it.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

/// `st` of an established connection in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// Source ports of the connections to this address that stand.
pub(crate) fn sources_to(address: &str) -> BTreeSet<u16> {
    let address: SocketAddrV4 = address.strip_prefix("https://").unwrap().parse().unwrap();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).filter_map(|line| source(line, address)).collect()
}

fn source(line: &str, address: SocketAddrV4) -> Option<u16> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, remote, state) = (columns.next()?, columns.next()?, columns.next()?);
    (state == ESTABLISHED && parse(remote)? == address).then_some(parse(local)?.port())
}

/// `0100007F:1F90`: the address in the byte order of the machine, the port in that of the network.
fn parse(text: &str) -> Option<SocketAddrV4> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(ip, u16::from_str_radix(port, 16).ok()?))
}
