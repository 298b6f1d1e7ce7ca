#!/usr/bin/env perl
# Writes the SHA-256 of every file of DIR into DIR.sha256: all of them, or nothing.
#
#     progrun -- examples/checksum.pl DIR
#     cd DIR && sha256sum -c ../DIR.sha256
#
# Shows bytes, and cancellation as an exception. Core modules only.
use strict;
use warnings;
use Cwd 'abs_path';
use Digest::SHA;
use Encode 'decode';

# --- Copy from here -----------------------------------------------------------------------------
use JSON::PP 'encode_json';
use POSIX ();

# A number in the environment is no proof: npm, `sudo -E`, Python's subprocess and others close
# the descriptor but keep the variable, and the next file that is opened gets the number.
# So check what the descriptor is. No perl handle is made of it: the end of the handle would close it.
my $channel = $ENV{PROGRUN_FD};
if (defined $channel) {
    my ($dev, $ino, $mode) = POSIX::fstat($channel);
    undef $channel
        unless defined $mode && POSIX::S_ISFIFO($mode) && "$dev:$ino" eq ($ENV{PROGRUN_FD_ID} // '');
}

# Reports progress; dies with a ProgressCancelled if we are to stop. Silent without progrun.
sub report {
    return unless defined $channel;
    # `local`, because what we start would inherit the ignored signal, and so break its own pipes.
    local $SIG{PIPE} = 'IGNORE';
    my $line = encode_json({@_}) . "\n";
    return if defined POSIX::write($channel, $line, length $line);
    return if $! == POSIX::EAGAIN;    # The pipe is full: drop this update.
    die $! == POSIX::EPIPE ? bless({}, 'ProgressCancelled') : "progress: $!\n";
}
# --- to here ------------------------------------------------------------------------------------

@ARGV == 1 or die "usage: checksum.pl DIR\n";
my $dir  = abs_path($ARGV[0]) // die "checksum.pl: $ARGV[0]: $!\n";
my $part = "$dir.sha256.part";

# Ctrl-C without progrun, and progrun's SIGTERM when a Ctrl-C was not enough.
$SIG{INT} = $SIG{TERM} = sub { die "$_[0]\n" };

sub checksum {
    opendir my $folder, $dir or die "$dir: $!\n";
    my @files = grep { !-d "$dir/$_" } sort readdir $folder;
    my ($done, $total) = (0, 0);
    $total += -s "$dir/$_" || 0 for @files;

    open my $sums, '>', $part or die "$part: $!\n";
    for my $name (@files) {
        # A file name need not be UTF-8, a report has to be.
        report(progress => $done, total => $total, unit => 'bytes', message => decode('UTF-8', $name));
        print $sums Digest::SHA->new(256)->addfile("$dir/$name", 'b')->hexdigest, "  $name\n";
        $done += -s "$dir/$name" || 0;
    }
    close $sums or die "$part: $!\n";
    # The last chance to cancel comes before the result is in place, so that "cancelled" always
    # means that nothing has happened.
    report(progress => $done, total => $total, unit => 'bytes');
    rename $part, "$dir.sha256" or die "$dir.sha256: $!\n";
}

unless (eval { checksum(); 1 }) {
    my $error = $@;
    unlink $part;
    print STDERR "cleaned up\n";
    exit 130 if ref $error;
    die $error;
}
