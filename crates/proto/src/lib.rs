//! Generated gRPC code of `proto/`, checked in, and its descriptor set.
//!
//! `make generate` writes `src/gen`; the test `fresh` fails when it is not what the proto files
//! say. Nothing here is written by hand but this file.

#![expect(
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

/// `perennial.issuer.v1`
pub mod issuer {
    /// Version 1.
    pub mod v1 {
        include!("gen/perennial.issuer.v1.rs");
    }
}

/// `perennial.writer.v1`
pub mod writer {
    /// Version 1.
    pub mod v1 {
        include!("gen/perennial.writer.v1.rs");
    }
}

/// `perennial.rpc.v1`
pub mod rpc {
    /// Version 1.
    pub mod v1 {
        include!("gen/perennial.rpc.v1.rs");
    }
}

/// `perennial.scheduler.v1`
pub mod scheduler {
    /// Version 1.
    pub mod v1 {
        include!("gen/perennial.scheduler.v1.rs");
    }
}

/// `perennial.cli.v1`
pub mod cli {
    /// Version 1.
    pub mod v1 {
        include!("gen/perennial.cli.v1.rs");
    }
}

/// Encoded `FileDescriptorSet` of all packages, with comments, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");
