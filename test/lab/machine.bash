# Makes and runs the guest. Sourced by lab, in the box. What is made in $work lives as long as this run, and in the
# box's own /tmp, so that it is gone even if nobody lives to remove it; /lab/cache lives as long as the tree.

cache=/lab/cache
guest=$lab/guest
# Less what TCG has not and says so about.
tcg_cpu=Haswell-v4,-pcid,-tsc-deadline,-invpcid,-spec-ctrl

# Prints the name of the cached file made by FUNCTION, which writes to the file that it gets as first argument. The
# name has a hash of the function itself and of the files and words that go in. One maker at a time.
cached() { # NAME FUNCTION [WORD...]
        local name=$1 function=$2; shift 2
        local hash
        hash=$({ declare -f "$function"; echo "$*"; for word; do [ ! -f "$word" ] || cat "$word"; done; } |
                sha256sum | cut -c1-16)
        local file=$cache/$name.$hash
        (
                flock 9
                [ -e "$file" ] && exit 0
                # Old ones go, but not those of another version that runs beside this one.
                find "$cache" -name "$name.*" -mtime +0 -delete
                "$function" "$file.new" "$@" && mv "$file.new" "$file"
        ) 9>"$cache/lock" || die "could not make the $name"
        echo "$file"
}

# The tree as it lies on disk: the bind mount leaves out what is mounted in it, and the cache must not eat itself.
make_root() { # FILE
        unshare --mount bash -c '
                mkdir -p /tmp/root && mount --bind / /tmp/root && mount -t tmpfs tmpfs /tmp/root/lab/cache &&
                truncate -s 8G "$0" &&
                mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -L root -d /tmp/root "$0"' "$1"
}

root_image() { cached root make_root "$(stat -c '%i %Y' /var/lib/dpkg/status)"; }

# Modules that are built into this kernel are no error to ask for, and no file.
make_initramfs() { # FILE INIT KERNEL
        local dir version
        dir=$(mktemp -d -p "$work")
        version=$(ls "/lab/kernel/$3/lib/modules")
        mkdir "$dir/bin"
        cp "$2" "$dir/init"
        cp "$(command -v busybox)" "$dir/bin/busybox"
        for module in virtio_pci virtio_blk ext4 virtio_console; do
                modprobe -d "/lab/kernel/$3" -S "$version" --show-depends "$module" 2>/dev/null
        done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
                local name
                name=$(basename "${module%.xz}")
                case $module in
                *.xz) busybox xzcat "$module" ;;
                *) cat "$module" ;;
                esac >"$dir/$name"
                echo "/$name" >&8
        done 8>"$dir/modules"
        (cd "$dir" && find . | cpio --quiet -o -H newc) >"$1"
        rm -r "$dir"
}

initramfs() { cached "initramfs-$1" make_initramfs "$guest/initramfs" "$1"; } # KERNEL

# The project as it is now, without its history and without what earlier runs of the lab have left.
make_share() { # FILE PLAN
        local dir
        dir=$(mktemp -d -p "$work")
        # tar says 1 when a file changed while it was read: somebody is at work, and that is no reason to fail.
        { tar -C "$project" --exclude=./.git --exclude=./build/lab --warning=no-file-changed \
                --warning=no-file-removed -cf - . || [ $? = 1 ]; } | tar -C "$dir" -xf - ||
                die "could not copy the project"
        mkdir -p "$dir/.lab"
        cp "$2" "$dir/.lab/plan"
        truncate -s 2G "$1"
        mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -L shunt -d "$dir" "$1" || die "could not pack the project"
        rm -r "$dir"
}

# /dev/kvm may exist and not work. Only a guest that comes up proves it; the answer holds until the host boots anew.
accelerator() {
        local answer
        answer=$cache/accelerator.$(cat /proc/sys/kernel/random/boot_id)
        if [ ! -e "$answer" ]; then
                rm -f "$cache"/accelerator.*
                local result=tcg
                if [ -w /dev/kvm ] && timeout 20 qemu-system-x86_64 -nodefaults -display none -no-reboot -m 256 \
                        -accel kvm -cpu host -kernel /lab/kernel/stable/vmlinuz -initrd "$(initramfs stable)" \
                        -append 'console=ttyS0 panic=-1 lab.probe' -serial stdio </dev/null 2>&1 |
                        grep -q 'lab: the probe guest is up'; then
                        result=kvm
                fi
                echo $result >"$answer"
        fi
        cat "$answer"
}

# Sets qemu to the command that boots the guest: the kernel's console goes to the file CONSOLE, what is on the second
# serial line and on the virtio port is up to the caller. It ends with the guest's first boot, unless $reboots is "yes": then one
# that has died stays so, rather than to begin anew.
qemu_command() { # KERNEL SHARE CONSOLE APPEND
        local kernel=$1 share=$2 console=$3 append=$4 panic=-1
        local -a once=(-no-reboot)
        if [ "$reboots" = yes ]; then panic=0 once=(); fi
        local drive=if=none,format=raw,snapshot=on,cache=unsafe
        qemu=(
                env TMPDIR=/var/tmp setpriv --pdeathsig KILL
                qemu-system-x86_64 -nodefaults -display none "${once[@]}" -m "$memory"
                -kernel "/lab/kernel/$kernel/vmlinuz" -initrd "$(initramfs "$kernel")"
                -append "console=ttyS0 panic=$panic oops=panic systemd.mask=serial-getty@ttyS0.service lab.kernel=$kernel $append"
                -drive "$drive,id=root,file=$(root_image)" -device virtio-blk-pci,drive=root
                -drive "$drive,id=share,file=$share" -device virtio-blk-pci,drive=share
                -chardev "file,id=console,path=$console" -serial chardev:console
                -device virtio-serial-pci
        )
        if [ "$count" = yes ]; then
                # Each round of a string instruction counts: without ERMS the kernel copies eight bytes in one, not one.
                qemu+=(-accel tcg,thread=single -cpu "$tcg_cpu,-erms" -smp 1 -icount 'shift=0,sleep=off' ${plugin:+-plugin "$plugin"})
        elif [ "$(accelerator)" = kvm ]; then
                qemu+=(-accel kvm -cpu host -smp "$cpus")
        else
                qemu+=(-accel tcg,thread=multi -cpu "$tcg_cpu" -smp "$cpus")
        fi
}
